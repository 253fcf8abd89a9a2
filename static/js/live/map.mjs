// The map: ground, controls, what a pointer finds on it.
import { AttributionControl, Map as GroundMap, ScaleControl, setWorkerUrl } from "maplibre-gl";
import { element } from "outrider/format";
import { addDetail, ownStyle, remoteStyle } from "outrider/live/basemap";
import { mark } from "outrider/live/marks";
import { LABELS } from "outrider/live/status";
import { Symbols } from "outrider/live/symbols";
import { isDark } from "outrider/shell";

const ICONS = {
  in: "M5 12h14M12 5v14",
  out: "M5 12h14",
  fit: "M8 3H5a2 2 0 0 0-2 2v3M21 8V5a2 2 0 0 0-2-2h-3M3 16v3a2 2 0 0 0 2 2h3M16 21h3a2 2 0 0 0 2-2v-3",
};

export class FleetMap {
  constructor(box, settings, view, { onSelect }) {
    this.box = box;
    this.settings = settings;
    this.view = view;
    this.onSelect = onSelect;
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
    this.map.getCanvas().setAttribute("aria-label", "Map");
    this.symbols = new Symbols(this.map, canvas);
    this.#listen();
    this.map.once("load", () => this.#ground());
    document.addEventListener("theme-changed", () => this.#ground());
  }

  show(things, selected) {
    this.things = things;
    this.symbols.show(things, selected);
    if (!this.framed && things.some((thing) => thing.shown)) this.fit(things, false);
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
    const { lon, lat } = thing.state.values;
    const center = { center: [lon, lat], offset: [(pad.left - pad.right) / 2, (pad.top - pad.bottom) / 2] };
    if (always && inside) this.map.panTo([lon, lat], { duration: 500, offset: center.offset });
    else this.map.easeTo({ ...center, zoom: Math.max(this.map.getZoom(), 11.5), duration: 700 });
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

  old(is) {
    this.box.classList.toggle("map--old", is);
  }

  async #ground() {
    this.symbols.repaint();
    const style = ownStyle(this.settings.files);
    if (this.grounded) this.map.setStyle(style, { diff: false });
    this.grounded = true;
    const turn = (this.turn = Symbol("ground"));
    if (!this.map.isStyleLoaded()) await new Promise((done) => this.map.once("styledata", done));
    if (turn !== this.turn) return;
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
    const words = thing ? LABELS[thing.status] : Object.entries(cluster.counts).map(([status, n]) => `${n} ${LABELS[status].toLowerCase()}`).join(", ");
    this.hint.replaceChildren(element("b", {}, thing ? thing.name : `${cluster.count} vehicles`), element("span", {}, ` · ${words}`));
    this.hint.style.left = `${Math.max(90, Math.min(this.box.clientWidth - 90, found.x))}px`;
    this.hint.style.top = `${found.y}px`;
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
    const rows = cluster.things.slice(0, 40).map((thing) =>
      element("button", { type: "button", onclick: () => { this.spot.hidden = true; this.onSelect(thing.key); } }, mark(thing.status), thing.name, element("span", {}, LABELS[thing.status])));
    this.spot.replaceChildren(element("p", {}, `${cluster.count} vehicles on this spot`), ...rows);
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
      button("in", "Closer", () => this.map.zoomIn()),
      button("out", "Farther", () => this.map.zoomOut()),
      button("fit", "Show all of the list", () => this.fit()),
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
