// The fleet, drawn on a canvas over the map: what a frame costs depends on what is in sight,
// not on how many vehicles there are, and nothing is handed to the map when one moves.
import { SHAPES } from "outrider/live/marks";
import { colour } from "outrider/live/basemap";
import { drawClusters, gather } from "outrider/live/clusters";
import { STATUSES } from "outrider/live/status";
import { drawGraticule } from "outrider/live/graticule";
import { PACES, drawWay } from "outrider/live/way";

const SIZE = 22;
const GLIDE_MS = [250, 1600];
/** A position that is less exact is drawn as not exact, in metres. */
export const ROUGH_M = 150;
const GLIDE_FROM_PX = 1.5;
// Where a frame takes longer, for want of a graphics card, two of three are left to the rest of
// the page: what is read comes before what glides.
const SLOW_MS = 40;
const CALM_MS = 120;
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;
const LONGEST_PAUSE_MS = 300; // Hidden, a page had no frames at all.
const JUMP_M = 3000;
const TRAILS_FROM_ZOOM = 8.5;
const MOST_TRAILS = 200; // With more in sight, trails would hide the map.
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
    /** How much larger than on a desk. */
    this.large = 1;
    this.repaint();
    // On the map's own frames, so that ground and fleet never come apart.
    map.on("render", () => this.draw());
  }

  /** Colours changed with the theme. */
  repaint() {
    this.colours = Object.fromEntries(COLOURS.map((name) => [name, colour(name === "no_data" ? "offline" : name)]));
    this.sprites = {};
    this.invalidate();
  }

  /** Show these; `selected` stands out. */
  show(things, selected, way) {
    const chosen = selected !== this.selected; // A person waits.
    this.things = things;
    this.selected = selected;
    this.way = way;
    for (const thing of things) if (thing.retarget) this.#aim(thing);
    if (chosen) this.invalidate();
    else this.#invalidateAtLeisure();
  }

  enlarge(by) {
    this.large = by;
    this.invalidate();
  }

  invalidate() {
    if (this.asked) return;
    this.asked = performance.now();
    requestAnimationFrame(() => {
      this.frameTook = performance.now() - this.asked;
      this.asked = 0;
      this.draw();
    });
  }

  #invalidateAtLeisure() {
    const slow = this.frameTook < SLOW_MS ? 0 : Math.min(LONGEST_PAUSE_MS, 2 * this.frameTook);
    const pause = Math.max(this.calm, slow);
    if (!pause) this.invalidate();
    else this.pausing ??= setTimeout(() => {
      this.pausing = null;
      this.invalidate();
    }, pause);
  }

  draw() {
    const now = performance.now();
    const { clientWidth, clientHeight } = this.canvas;
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(clientWidth * ratio) || this.canvas.height !== Math.round(clientHeight * ratio)) {
      this.canvas.width = Math.round(clientWidth * ratio);
      this.canvas.height = Math.round(clientHeight * ratio);
    }
    const [width, height] = [clientWidth / this.large, clientHeight / this.large];
    const c = this.context;
    c.setTransform(ratio * this.large, 0, 0, ratio * this.large, 0, 0);
    c.clearRect(0, 0, width, height);
    this.frame = this.#projection(width, height);
    drawGraticule(c, this.frame, this.colours);
    this.#glide(now);
    // Those that move lie on top of those that stand.
    const { clusters, single } = gather(this.#inSight(), this.frame, this.selected);
    single.sort((a, b) => STATUSES.indexOf(b.thing.status) - STATUSES.indexOf(a.thing.status));
    this.#drawTrails(c, single);
    this.clusters = clusters;
    this.drawn = single;
    drawClusters(c, clusters, this.colours);
    for (const place of single) if (place.thing.key !== this.selected) this.#drawSymbol(c, place);
    const chosen = single.find((place) => place.thing.key === this.selected);
    if (chosen) this.#drawChosen(c, chosen);
    if (this.gliding.size) this.#invalidateAtLeisure();
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
    return this.#zoom >= TRAILS_FROM_ZOOM;
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

  #drawTrails(c, places) {
    if (!this.hasTrails) return;
    c.lineJoin = c.lineCap = "round";
    const many = places.length > MOST_TRAILS;
    for (const { thing, x, y } of places) {
      const chosen = thing.key === this.selected;
      if (many && !chosen) continue;
      if (chosen && this.way?.length > 1) {
        drawWay(c, this.way, this.frame, { x, y }, this.colours);
        continue;
      }
      if (thing.trail.length < 2) continue;
      c.strokeStyle = chosen ? this.colours.accent : this.colours[thing.status];
      c.globalAlpha = chosen ? 0.85 : 0.26;
      c.lineWidth = chosen ? 4 : 2;
      this.#line(c, thing.trail, x, y, thing);
    }
    c.globalAlpha = 1;
  }

  // Up to where the symbol is seen, which may still be on its way to the last point.
  #line(c, trail, x, y, thing) {
    const { scale, left, top } = this.frame;
    const points = this.gliding.has(thing) ? trail.length - 1 : trail.length;
    c.beginPath();
    for (let i = 0; i < points; i++) {
      const px = trail[i][1] * scale + left;
      const py = trail[i][2] * scale + top;
      // A stretch that was not reported is not drawn as if it had been driven straight.
      if (i && trail[i][0] - trail[i - 1][0] < 120e6) c.lineTo(px, py);
      else c.moveTo(px, py);
    }
    c.lineTo(x, y);
    c.stroke();
  }

  #drawSymbol(c, { thing, x, y }, size = SIZE) {
    // Hollow and dashed: it is where it last was for sure.
    const { invalid, accuracy_m: accuracy } = thing.state?.values ?? {};
    const unsure = invalid?.includes("position") || accuracy > ROUGH_M;
    const turn = thing.status === "moving" && thing.shown.heading != null && !unsure;
    const shape = unsure ? "no_data" : thing.status === "moving" && !turn ? "parked" : thing.status;
    const sprite = this.#sprite(shape, thing.status, size);
    c.save();
    c.translate(x, y);
    if (turn) c.rotate((thing.shown.heading * Math.PI) / 180);
    c.drawImage(sprite, -sprite.width / 4, -sprite.height / 4, sprite.width / 2, sprite.height / 2);
    c.restore();
    if (thing.level && this.frame.zoom >= 8) {
      c.fillStyle = thing.level > 1 ? this.colours.critical : this.colours.warning;
      c.strokeStyle = this.colours.panel;
      c.lineWidth = 1.5;
      c.beginPath();
      c.arc(x + size * 0.42, y - size * 0.42, 4, 0, 7);
      c.fill();
      c.stroke();
    }
  }

  #drawChosen(c, place) {
    c.fillStyle = this.colours.accent;
    c.globalAlpha = 0.2;
    c.beginPath();
    c.arc(place.x, place.y, 23, 0, 7);
    c.fill();
    c.globalAlpha = 1;
    this.#drawSymbol(c, place, 29);
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

  // Drawn once at twice the size, then only copied; from an image, which where no graphics card
  // draws takes half as long as from a canvas.
  #sprite(shape, status, size) {
    const name = `${shape}/${status}/${size}`;
    if (this.sprites[name]) return this.sprites[name];
    const canvas = new OffscreenCanvas((size + 8) * 2, (size + 8) * 2);
    const c = canvas.getContext("2d", { willReadFrequently: true });
    const scale = (size * 2 * (shape === "moving" ? 1 : 0.8)) / 24;
    c.translate(canvas.width / 2, canvas.height / 2);
    c.scale(scale, scale);
    c.translate(-12, -12);
    const { path, filled, dashed } = SHAPES[shape];
    const outline = new Path2D(path);
    c.lineJoin = "round";
    if (filled) {
      c.lineWidth = 5;
      c.strokeStyle = this.colours.panel;
      c.stroke(outline);
      c.fillStyle = this.colours[status];
      c.fill(outline);
    } else {
      c.fillStyle = this.colours.panel;
      c.fill(outline);
      if (dashed) c.setLineDash([4, 3]);
      c.lineWidth = 3.6;
      c.strokeStyle = this.colours[status];
      c.stroke(outline);
    }
    return (this.sprites[name] = canvas.transferToImageBitmap());
  }
}

function isDrawnBySoftware(map) {
  const gl = map.getCanvas().getContext("webgl2");
  const named = gl?.getExtension("WEBGL_debug_renderer_info");
  return Boolean(named && SOFTWARE.test(gl.getParameter(named.UNMASKED_RENDERER_WEBGL)));
}
