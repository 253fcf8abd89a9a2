// Geofences under the vehicles of a map: on or off, as one left it.
import { gettext } from "outrider/words";
import { element } from "outrider/format";
import { METRIC_WIDTH, featureOf } from "outrider/geofences/shapes";
import { colour } from "outrider/live/basemap";

const KEPT = "map.geofences";
const AREAS = ["==", ["geometry-type"], "Polygon"];
const LINES = ["==", ["geometry-type"], "LineString"];
const ICON = "M3 7l6-3 6 3 6-3v13l-6 3-6-3-6 3zM9 4v13M15 7v13";

/** The organisation's geofences on a map, `below` a layer of it, with a button that switches them off. */
export function showFences(map, { below } = {}) {
  const address = document.querySelector("[data-geofences]")?.dataset.geofences;
  if (!address) return;
  const layer = new FenceLayer(map, { below });
  const set = (on) => {
    button.setAttribute("aria-pressed", String(on));
    layer.set(on);
  };
  const button = element("button", {
    type: "button", class: "fences__switch", "aria-label": gettext("Geofences"), title: gettext("Geofences"),
    onclick: () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      localStorage.setItem(KEPT, on ? "on" : "off");
      set(on);
    },
  });
  button.innerHTML = `<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round" aria-hidden="true"><path d="${ICON}"/></svg>`;
  const group = element("div", { class: "maplibregl-ctrl maplibregl-ctrl-group" }, button);
  map.addControl({ onAdd: () => group, onRemove: () => group.remove() }, "bottom-left");
  set(localStorage.getItem(KEPT) !== "off");
  fetchFences(address).then(({ fences }) => {
    layer.show(fences);
    map.getContainer().dataset.geofences = fences.length;
  }).catch(() => {}); // A map without them is better than none.
}

export async function fetchFences(address) {
  const answer = await fetch(address);
  if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
  return answer.json();
}

export class FenceLayer {
  #on = true;
  #data = { type: "FeatureCollection", features: [] };

  /** `faint` where they are only the surroundings of another one. */
  constructor(map, { id = "fences", faint = false, below } = {}) {
    this.map = map;
    this.id = id;
    this.faint = faint;
    this.below = below;
    // A style that is set anew takes the layers of the old one away.
    map.on("style.load", () => this.#lay());
    if (map.isStyleLoaded()) this.#lay();
  }

  show(fences) {
    this.#data.features = fences.map(({ name, colour: tint, shape }) => featureOf(shape, { name, colour: tint }));
    this.map.getSource(this.id)?.setData(this.#data);
  }

  set(on) {
    this.#on = on;
    for (const layer of this.#layers()) {
      if (this.map.getLayer(layer.id)) this.map.setLayoutProperty(layer.id, "visibility", on ? "visible" : "none");
    }
  }

  #lay() {
    const { map, id } = this;
    if (map.getSource(id)) return;
    map.addSource(id, { type: "geojson", data: this.#data, tolerance: 0.2 });
    const below = map.getLayer(this.below) ? this.below : undefined;
    for (const layer of this.#layers()) map.addLayer(layer, below);
    this.set(this.#on);
  }

  #layers() {
    const { id, faint } = this;
    const tint = ["get", "colour"];
    const paint = { "line-color": tint, "line-opacity": faint ? 0.4 : 0.85, "line-width": faint ? 1 : 1.6 };
    const name = {
      type: "symbol", source: id, minzoom: 8,
      layout: { "text-field": ["get", "name"], "text-font": fontOf(this.map), "text-size": 12, "text-max-width": 9, "text-padding": 6 },
      paint: { "text-color": colour(faint ? "text-faint" : "text"), "text-halo-color": colour("place-halo"), "text-halo-width": 1.4 },
    };
    return [
      { id: `${id}-fill`, type: "fill", source: id, filter: AREAS, paint: { "fill-color": tint, "fill-opacity": faint ? 0.06 : 0.13 } },
      { id: `${id}-corridor`, type: "line", source: id, filter: LINES, layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": tint, "line-opacity": faint ? 0.1 : 0.2, "line-width": METRIC_WIDTH } },
      { id: `${id}-outline`, type: "line", source: id, paint },
      { ...name, id: `${id}-name`, filter: AREAS, layout: { ...name.layout, "symbol-placement": "point" } },
      { ...name, id: `${id}-name-along`, filter: LINES, layout: { ...name.layout, "symbol-placement": "line-center", "text-offset": [0, 1.3] } },
    ];
  }
}

// A style has the letters of its own fonts and of no others; ours draws with the page's.
function fontOf(map) {
  const style = map.getStyle();
  if (!style?.glyphs) return ["Inter Variable"];
  const named = style.layers.map((layer) => layer.layout?.["text-font"]).find((font) => Array.isArray(font) && typeof font[0] === "string" && font[0] !== "literal" && font[0] !== "step");
  return named ?? ["Noto Sans Regular"];
}
