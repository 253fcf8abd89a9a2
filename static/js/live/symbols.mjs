// The fleet, drawn on a canvas over the map: what a frame costs depends on what is in sight,
// not on how many vehicles there are, and nothing is handed to the map when one moves.
import { colour } from "outrider/live/basemap";
import { drawClusters, gather } from "outrider/live/clusters";
import { STATUSES } from "outrider/live/status";
import { drawGraticule } from "outrider/live/graticule";
import { Sprites } from "outrider/live/sprites";
import { drawTrails, hasTrails } from "outrider/live/trails";
import { PACES } from "outrider/live/way";

const SIZE = 22;
const SIZE_OF_CHOSEN = 29;
const GLIDE_MS = [250, 1600];
/** A position that is less exact is drawn as not exact, in metres. */
export const ROUGH_M = 150;
const GLIDE_FROM_PX = 1.5;
// Where a frame takes longer, for want of a graphics card, two of three are left to the rest of
// the page: what is read comes before what glides.
const SLOW_MS = 40;
const CALM_MS = 120;
const CALM_EACH_MS = 0.17;
const HELD_UP_MS = 8;
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;
const LONGEST_PAUSE_MS = 300; // Hidden, a page had no frames at all.
const JUMP_M = 3000;
const LEVELS_FROM_ZOOM = 8;
const EARTH_M = 40_075_016;
const COLOURS = ["moving", "idle", "charging", "parked", "offline", "no_data", "panel", "text", "text-soft", "accent", "critical", "warning", "grid", "place", "land", ...PACES];
const still = matchMedia("(prefers-reduced-motion: reduce)");

const accuracyOf = (thing) => thing.state?.values.accuracy_m ?? 0;

export class Symbols {
  constructor(map, canvas) {
    this.map = map;
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.things = [];
    this.drawn = [];
    this.clusters = [];
    this.gliding = new Set();
    /** Without a graphics card a core of the machine draws: then it glides calmly. */
    this.calm = isDrawnBySoftware(map) ? CALM_MS : 0;
    /** Milliseconds from asking for a frame to drawing it. */
    this.frameTook = 0;
    this.drawnAt = 0;
    /** How much larger than on a desk. */
    this.large = 1;
    this.repaint();
    // On the map's own frames, so that ground and fleet never come apart.
    map.on("render", () => this.draw());
  }

  /** Colours changed with the theme. */
  repaint() {
    this.colours = Object.fromEntries(COLOURS.map((name) => [name, colour(name === "no_data" ? "offline" : name)]));
    this.sprites = null;
    this.invalidate();
  }

  /** Show these; `selected` stands out. In the frame that the page began at `drawnAt`: each
   * frame has its price; but in the next one if this one has been held up already. */
  show(things, { selected, way, drawnAt }) {
    const chosen = selected !== this.selected; // A person waits.
    this.things = things;
    this.selected = selected;
    this.way = way;
    for (const thing of things) if (thing.retarget) this.#aim(thing);
    const now = performance.now();
    const isDue = chosen || now - this.drawnAt >= this.pause / 2;
    if (!isDue) this.#invalidateAtLeisure();
    else if (now - drawnAt < HELD_UP_MS) this.draw();
    else this.invalidate();
  }

  enlarge(by) {
    this.large = by;
    this.invalidate();
  }

  invalidate() {
    if (this.request) return;
    const asked = performance.now();
    this.request = requestAnimationFrame(() => {
      this.frameTook = performance.now() - asked;
      this.draw();
    });
  }

  /** Milliseconds between frames of what glides: the more where no graphics card draws, the
   * more there is to draw. */
  get pause() {
    const slow = this.frameTook < SLOW_MS ? 0 : 2 * this.frameTook;
    const calm = this.calm && this.calm + this.drawn.length * CALM_EACH_MS;
    return Math.min(LONGEST_PAUSE_MS, Math.max(calm, slow));
  }

  #invalidateAtLeisure() {
    if (this.pause) this.pausing ??= setTimeout(() => this.invalidate(), this.pause);
    else this.invalidate();
  }

  draw() {
    const now = (this.drawnAt = performance.now());
    this.#forgetRequests();
    const { clientWidth, clientHeight } = this.canvas;
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(clientWidth * ratio) || this.canvas.height !== Math.round(clientHeight * ratio)) {
      this.canvas.width = Math.round(clientWidth * ratio);
      this.canvas.height = Math.round(clientHeight * ratio);
    }
    const [width, height] = [clientWidth / this.large, clientHeight / this.large];
    const c = this.context;
    const pixels = ratio * this.large;
    if (this.sprites?.pixels !== pixels) this.sprites = new Sprites(this.colours, pixels);
    c.setTransform(pixels, 0, 0, pixels, 0, 0);
    c.clearRect(0, 0, width, height);
    this.frame = this.#projection(width, height);
    drawGraticule(c, this.frame, this.colours);
    this.#glide(now);
    // Those that move lie on top of those that stand.
    const { clusters, single } = gather(this.#inSight(), this.frame, this.selected);
    single.sort((a, b) => STATUSES.indexOf(b.thing.status) - STATUSES.indexOf(a.thing.status));
    drawTrails(c, single, this.frame, this.colours, this);
    this.clusters = clusters;
    this.drawn = single;
    drawClusters(c, clusters, this.sprites);
    for (const place of single) if (place.thing.key !== this.selected) this.#drawSymbol(c, place);
    for (const place of single) if (place.thing.key !== this.selected) this.#drawLevel(c, place);
    const chosen = single.find((place) => place.thing.key === this.selected);
    if (chosen) this.#drawChosen(c, chosen);
    if (this.gliding.size) this.#invalidateAtLeisure();
  }

  #forgetRequests() {
    cancelAnimationFrame(this.request);
    clearTimeout(this.pausing);
    this.request = this.pausing = null;
  }

  /** What is under a point of the map: {thing} or {cluster} or null. */
  at(point, reach = 17) {
    let best = null;
    for (const place of this.drawn) {
      const distance = Math.hypot(place.x - point.x, place.y - point.y);
      if (distance <= (best?.distance ?? reach)) best = { thing: place.thing, distance, x: place.x, y: place.y };
    }
    for (const cluster of this.clusters) {
      const distance = Math.hypot(cluster.x - point.x, cluster.y - point.y);
      if (distance <= cluster.radius + 3 && distance < (best?.distance ?? Infinity)) best = { cluster, distance, x: cluster.x, y: cluster.y };
    }
    return best;
  }

  #projection(width, height) {
    const center = this.map.getCenter();
    const middle = this.map.project(center);
    const scale = (512 * 2 ** this.map.getZoom()) / this.large;
    const cx = (center.lng + 180) / 360;
    const cy = 0.5 - Math.log(Math.tan(Math.PI / 4 + (center.lat * Math.PI) / 360)) / (2 * Math.PI);
    const [left, top] = [middle.x / this.large - cx * scale, middle.y / this.large - cy * scale];
    return { width, height, scale, zoom: this.#zoom, left, top };
  }

  get #zoom() {
    return this.map.getZoom() - Math.log2(this.large);
  }

  /** Whether it is near enough: from afar trails would hide the map. */
  get hasTrails() {
    return hasTrails(this.#zoom);
  }

  // From where it is seen now to where it is: as long as it took to send, within bounds.
  #aim(thing) {
    thing.retarget = false;
    const { shown } = thing;
    const by = shown && Math.hypot(thing.x - shown.x, thing.y - shown.y);
    const heading = thing.state.values.heading_deg ?? null;
    // What nobody could see gliding does not cost a frame.
    const unseen = by * (this.frame?.scale ?? 0) < GLIDE_FROM_PX;
    if (!shown || unseen || by * EARTH_M > JUMP_M || still.matches || document.hidden) {
      thing.shown = { x: thing.x, y: thing.y, heading };
      this.gliding.delete(thing);
      return;
    }
    const duration = Math.min(GLIDE_MS[1], Math.max(GLIDE_MS[0], (thing.gapS || 1) * 1000));
    thing.glide = { from: { ...shown }, heading, start: performance.now(), duration };
    this.gliding.add(thing);
  }

  #glide(now) {
    for (const thing of this.gliding) {
      const { from, heading, start, duration } = thing.glide;
      const t = Math.min(1, (now - start) / duration);
      thing.shown.x = from.x + (thing.x - from.x) * t;
      thing.shown.y = from.y + (thing.y - from.y) * t;
      if (heading == null || from.heading == null) thing.shown.heading = heading;
      else thing.shown.heading = from.heading + ((((heading - from.heading) % 360) + 540) % 360 - 180) * Math.min(1, t * 2);
      if (t === 1) this.gliding.delete(thing);
    }
  }

  #inSight() {
    const { scale, left, top, width, height } = this.frame;
    const places = [];
    for (const thing of this.things) {
      const { shown } = thing;
      if (!shown) continue;
      const x = shown.x * scale + left;
      const y = shown.y * scale + top;
      if (x > -40 && y > -40 && x < width + 40 && y < height + 40) places.push({ thing, x, y });
    }
    return places;
  }

  #drawSymbol(c, { thing, x, y }, size = SIZE) {
    // Hollow and dashed: it is where it last was for sure.
    const { invalid, accuracy_m: accuracy } = thing.state?.values ?? {};
    const unsure = invalid?.includes("position") || accuracy > ROUGH_M;
    const turn = thing.status === "moving" && thing.shown.heading != null && !unsure;
    const shape = unsure ? "no_data" : thing.status === "moving" && !turn ? "parked" : thing.status;
    const sprite = this.sprites.symbol(shape, thing.status, size);
    if (turn) this.sprites.turn(c, sprite, x, y, thing.shown.heading);
    else this.sprites.stand(c, sprite, x, y);
  }

  #drawLevel(c, { thing, x, y }, size = SIZE) {
    if (!thing.level || this.frame.zoom < LEVELS_FROM_ZOOM) return;
    this.sprites.stand(c, this.sprites.dot(thing.level), x + size * 0.42, y - size * 0.42);
  }

  #drawChosen(c, place) {
    c.fillStyle = this.colours.accent;
    c.globalAlpha = 0.2;
    c.beginPath();
    c.arc(place.x, place.y, 23, 0, 7);
    c.fill();
    c.globalAlpha = 1;
    this.#drawSymbol(c, place, SIZE_OF_CHOSEN);
    this.#drawLevel(c, place, SIZE_OF_CHOSEN);
    this.#label(c, place.thing.name, place.x, place.y + 36);
    if (accuracyOf(place.thing) > ROUGH_M) this.#drawReach(c, place);
  }

  // Somewhere in here.
  #drawReach(c, { thing, x, y }) {
    const metres = EARTH_M * Math.cos((thing.state.values.lat * Math.PI) / 180);
    c.beginPath();
    c.arc(x, y, (accuracyOf(thing) / metres) * this.frame.scale, 0, 7);
    c.setLineDash([4, 4]);
    c.lineWidth = 1.5;
    c.strokeStyle = this.colours.accent;
    c.stroke();
    c.setLineDash([]);
  }

  #label(c, text, x, y) {
    c.font = '600 12px "Inter Variable", sans-serif';
    c.textAlign = "center";
    c.lineJoin = "round";
    c.lineWidth = 4;
    c.strokeStyle = this.colours.panel;
    c.strokeText(text, x, y);
    c.fillStyle = this.colours.text;
    c.fillText(text, x, y);
  }
}

function isDrawnBySoftware(map) {
  const gl = map.getCanvas().getContext("webgl2");
  const named = gl?.getExtension("WEBGL_debug_renderer_info");
  return Boolean(named && SOFTWARE.test(gl.getParameter(named.UNMASKED_RENDERER_WEBGL)));
}
