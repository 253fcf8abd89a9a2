// The map: ground, controls, what a pointer finds on it.
import { AttributionControl, Map as GroundMap, ScaleControl, setWorkerUrl } from "maplibre-gl";
import { age, element } from "outrider/format";
import { addDetail, ownStyle, remoteStyle } from "outrider/live/basemap";
import { countsInWords } from "outrider/live/facets";
import { mark } from "outrider/live/marks";
import { timeOf } from "outrider/live/merge";
import { LABELS } from "outrider/live/status";
import { ROUGH_M, Symbols } from "outrider/live/symbols";
import { isDark } from "outrider/shell";
import { gettext, interpolate, ngettext } from "outrider/words";

const MOST_ON_A_SPOT = 200;
const NAMED = 4;
const NEAR_ZOOM = 11.5;
const vehicles = (n) => interpolate(ngettext("%(n)s vehicle", "%(n)s vehicles", n), { n });
const namesOf = (things) => things.slice(0, NAMED).map(({ name }) => name).join(", ") + (things.length > NAMED ? " …" : "");

const ICONS = {
  in: "M5 12h14M12 5v14",
  out: "M5 12h14",
  past: "M3 12a9 9 0 1 0 3-6.7L3 8M3 3v5h5M12 7v5l3.500 2",
  fit: "M8 3H5a2 2 0 0 0-2 2v3M21 8V5a2 2 0 0 0-2-2h-3M3 16v3a2 2 0 0 0 2 2h3M16 21h3a2 2 0 0 0 2-2v-3",
};

export class FleetMap {
  constructor(box, settings, view, { onSelect, onToggle }) {
    this.box = box;
    this.settings = settings;
    this.view = view;
    this.onSelect = onSelect;
    this.onToggle = onToggle;
    this.hint = box.querySelector("#hint");
    this.spot = box.querySelector("#spot");
    setWorkerUrl(new URL(settings.worker, location.href).href);
    const at = view.at ?? { lon: 8, lat: 30, zoom: 1.6 };
    this.framed = Boolean(view.at);
    const ground = box.insertBefore(element("div"), box.firstChild);
    this.map = new GroundMap({
      container: ground,
      style: ownStyle(settings.files),
      center: [at.lon, at.lat],
      zoom: at.zoom,
      minZoom: 1,
      maxZoom: 18,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      renderWorldCopies: false,
      fadeDuration: 0,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.addControl(new AttributionControl({ compact: false }), "bottom-right");
    this.map.addControl(new ScaleControl({ maxWidth: 110 }), "bottom-left");
    this.map.addControl(this.#controls(), "bottom-left");
    const canvas = element("canvas", { class: "symbols", "aria-hidden": "true" });
    this.map.getCanvasContainer().append(canvas);
    this.map.getCanvas().setAttribute("aria-label", gettext("Map"));
    this.symbols = new Symbols(this.map, canvas);
    this.#listen();
    this.map.once("load", () => this.#ground());
    view.addEventListener("moved", () => this.map.jumpTo({ center: [view.at.lon, view.at.lat], zoom: view.at.zoom }));
    document.addEventListener("theme-changed", () => this.#ground());
  }

  show(things, { selected, way, now, drawnAt }) {
    this.things = things;
    this.now = now;
    this.symbols.show(things, { selected, way, drawnAt });
    if (!this.framed && things.some((thing) => thing.shown)) this.#frameAll();
  }

  /** More have become known: all of them in sight, unless the map stands elsewhere by now. */
  frameAgain() {
    if (this.framing === this.#standing) this.#frameAll();
  }

  #frameAll() {
    this.fit(this.things, false);
    this.framing = this.#standing;
  }

  get #standing() {
    return `${this.map.getCenter()} ${this.map.getZoom()}`;
  }

  /** Begin with one of them: near enough to see where it is. */
  openOn(thing) {
    this.framed = true;
    this.map.easeTo({ ...this.#middleOf(thing), zoom: Math.max(this.map.getZoom(), NEAR_ZOOM), duration: 0 });
  }

  // Where it is, in the middle of what nothing lies over.
  #middleOf(thing) {
    const pad = this.padding();
    const { lon, lat } = thing.state.values;
    return { center: [lon, lat], offset: [(pad.left - pad.right) / 2, (pad.top - pad.bottom) / 2] };
  }

  /** Who is where the pointer is, if it is one. */
  thingAt(event) {
    if (!event.target.closest(".maplibregl-canvas-container")) return null;
    const { left, top } = this.map.getCanvas().getBoundingClientRect();
    const reach = event.pointerType === "touch" ? 26 : 17;
    return this.symbols.at({ x: event.clientX - left, y: event.clientY - top }, reach)?.thing ?? null;
  }

  /** Put all of them in sight. */
  fit(things = this.things, smoothly = true) {
    const placed = things.filter((thing) => thing.x != null);
    if (!placed.length) return;
    this.framed = true;
    const xs = spread(placed.map((thing) => thing.x));
    const ys = spread(placed.map((thing) => thing.y));
    const corner = (x, y) => [x * 360 - 180, (Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) * 360) / Math.PI - 90];
    this.map.fitBounds([corner(xs[0], ys[1]), corner(xs[1], ys[0])], { padding: this.padding(), maxZoom: 13.5, duration: smoothly ? 600 : 0 });
  }

  /** Bring one into sight, unless it is well in sight already. */
  reveal(thing, always = false) {
    if (!thing?.shown) return;
    const { scale, left, top, width, height } = this.symbols.frame;
    const [x, y] = [thing.x * scale + left, thing.y * scale + top];
    const pad = this.padding();
    const inside = x > pad.left && y > pad.top && x < width - pad.right && y < height - pad.bottom;
    if (inside && !always) return;
    if (always && inside) this.map.easeTo({ ...this.#middleOf(thing), duration: 500 });
    else this.map.easeTo({ ...this.#middleOf(thing), zoom: Math.max(this.map.getZoom(), NEAR_ZOOM), duration: 700 });
  }

  /** Room taken by what lies over the map. */
  padding() {
    const pad = { left: 60, right: 60, top: 60, bottom: 60 };
    const rect = this.box.getBoundingClientRect();
    for (const name of ["drawer", "list"]) {
      const over = document.getElementById(name);
      if (over.hidden) continue;
      const cover = over.getBoundingClientRect();
      if (cover.right <= rect.left + 1) continue;
      if (cover.width > rect.width * 0.8) pad.bottom = Math.max(pad.bottom, rect.bottom - cover.top + 30);
      else pad.right = rect.right - cover.left + 40;
    }
    const most = rect.height * 0.8 - pad.top;
    return { ...pad, bottom: Math.min(pad.bottom, most), right: Math.min(pad.right, rect.width * 0.7) };
  }

  /** Seen from across a room. */
  enlarge(by) {
    this.symbols.enlarge(by);
  }

  old(is) {
    this.box.classList.toggle("map--old", is);
  }

  async #ground() {
    this.symbols.repaint();
    const style = ownStyle(this.settings.files);
    if (this.grounded) this.map.setStyle(style, { diff: false });
    this.grounded = true;
    const turn = (this.turn = Symbol("ground"));
    addDetail(this.map, this.settings.files).catch(() => {}); // The coarse map stays.
    const remote = await remoteStyle(this.settings[isDark() ? "dark" : "light"]);
    if (remote && turn === this.turn) this.map.setStyle(remote, { diff: false });
  }

  #listen() {
    const { map } = this;
    map.on("moveend", () => this.framed && this.view.setMap(map.getCenter(), map.getZoom()));
    map.on("movestart", () => (this.spot.hidden = true));
    map.on("dragstart", () => this.box.dispatchEvent(new CustomEvent("taken-over")));
    map.on("mousemove", ({ point }) => this.#point(point));
    map.getCanvas().addEventListener("mouseleave", () => (this.hint.hidden = true));
    map.on("click", ({ point, originalEvent }) => {
      const touched = originalEvent.pointerType === "touch" || matchMedia("(pointer: coarse)").matches;
      const found = this.symbols.at(point, touched ? 26 : 17);
      this.spot.hidden = true;
      if (found?.thing) this.onSelect(found.thing.key);
      else if (found?.cluster) this.#open(found.cluster);
      else this.onSelect("");
    });
  }

  #point(point) {
    const found = this.symbols.at(point);
    this.map.getCanvas().style.cursor = found ? "pointer" : "";
    this.hint.hidden = !found;
    if (!found) return;
    const { thing, cluster } = found;
    const words = thing ? this.#inWords(thing) : countsInWords(cluster.counts);
    const name = thing ? thing.name : vehicles(cluster.count);
    const names = cluster ? element("em", {}, namesOf(cluster.things)) : null;
    this.hint.replaceChildren(...[element("b", {}, name), element("span", {}, ` · ${words}`), names].filter(Boolean));
    this.hint.style.left = `${Math.max(90, Math.min(this.box.clientWidth - 90, found.x))}px`;
    this.hint.style.top = `${found.y}px`;
  }

  #inWords(thing) {
    const { now } = this;
    const words = [thing.since == null ? LABELS[thing.status] : `${LABELS[thing.status]} ${thing.sinceAtLeast ? "> " : ""}${age((now - thing.since) / 1e6)}`];
    if (thing.state?.values.invalid?.includes("position")) words.push(gettext("no valid position: where it last was"));
    else if (thing.state?.values.accuracy_m > ROUGH_M) words.push(interpolate(gettext("position within %(metres)s m"), { metres: Math.round(thing.state.values.accuracy_m) }));
    if (thing.state) words.push(interpolate(gettext("%(age)s old"), { age: age((now - timeOf(thing.state, "lat")) / 1e6) }));
    return words.join(" · ");
  }

  // Closer, until they come apart; those on one spot are listed by name.
  #open(cluster) {
    const xs = cluster.things.map((thing) => thing.x);
    const ys = cluster.things.map((thing) => thing.y);
    const across = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) * this.symbols.frame.scale;
    if (this.map.getZoom() < 16 && across * 2 ** (17 - this.map.getZoom()) > 60) {
      this.fit(cluster.things);
      return;
    }
    const rows = cluster.things.slice(0, MOST_ON_A_SPOT).map((thing) =>
      element("button", { type: "button", onclick: () => { this.spot.hidden = true; this.onSelect(thing.key); } }, mark(thing.status), thing.name, element("span", {}, LABELS[thing.status])));
    this.spot.replaceChildren(element("p", {}, interpolate(gettext("%(vehicles)s on this spot"), { vehicles: vehicles(cluster.count) })), ...rows);
    this.spot.style.left = `${Math.max(126, Math.min(this.box.clientWidth - 126, cluster.x))}px`;
    this.spot.style.top = `${Math.min(cluster.y, this.box.clientHeight - 300)}px`;
    this.spot.hidden = false;
    rows[0].focus();
  }

  #controls() {
    const button = (name, label, act) => {
      const made = element("button", { type: "button", "aria-label": label, title: label, onclick: act });
      made.innerHTML = `<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
      return made;
    };
    const group = element("div", { class: "maplibregl-ctrl maplibregl-ctrl-group" });
    group.append(
      button("in", gettext("Closer"), () => this.map.zoomIn()),
      button("out", gettext("Farther"), () => this.map.zoomOut()),
      button("fit", gettext("Show all of the list"), () => this.fit()),
      button("past", gettext("Show a past moment"), this.onToggle),
    );
    return { onAdd: () => group, onRemove: () => group.remove() };
  }
}

// Of the many: a single stray position (a swapped sign) does not make the view a continent.
function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const cut = sorted.length > 50 ? Math.floor(sorted.length * 0.01) : 0;
  return [sorted[cut], sorted[sorted.length - 1 - cut]];
}
