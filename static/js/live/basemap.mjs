// The ground under the fleet: the configured map where it can be reached, else our own of
// coasts, borders and places. Ours is there at once; the other replaces it when it answers.

import { addNear, placesOf } from "outrider/live/near";

const PATIENCE_MS = 4000;
const DETAIL_FROM = 5.2;

/** A custom property as a plain colour that MapLibre can read. */
export function colour(name) {
  const probe = colour.probe ?? (colour.probe = document.body.appendChild(document.createElement("i")));
  probe.hidden = true;
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

// Of a disc with 8,000 people to the square kilometre, in pixels at a zoom and 45 degrees.
const METRES_PER_PIXEL = 78271.5 * Math.SQRT1_2;
const radiusAt = (zoom) => ["*", ["sqrt", ["get", "population"]], (6.3 * 2 ** zoom) / METRES_PER_PIXEL];

/** Our own style, in the colours of the theme. */
export function ownStyle(files) {
  const empty = { type: "FeatureCollection", features: [] };
  const outline = ["interpolate", ["linear"], ["zoom"], 2, 0.6, 10, 1.4];
  const fill = (name) => ({ "fill-color": colour(name), "fill-antialias": false });
  const coast = { "line-color": colour("coast"), "line-width": outline };
  const border = { "line-color": colour("border"), "line-width": outline, "line-dasharray": [3, 2] };
  const near = (kind) => ({ source: "near", minzoom: DETAIL_FROM, filter: ["==", ["get", "kind"], kind] });
  const layers = [
    { id: "water", type: "background", paint: { "background-color": colour("water") } },
    { id: "land", type: "fill", source: "land", paint: fill("land") },
    { id: "coast", type: "line", source: "land", paint: coast },
    { id: "border", type: "line", source: "borders", paint: border },
    // A block that is there hides the coarse map below it.
    { id: "near-water", type: "fill", ...near("water"), paint: fill("water") },
    { id: "near-land", type: "fill", ...near("land"), paint: fill("land") },
    { id: "near-coast", type: "line", ...near("coast"), paint: coast },
    { id: "near-border", type: "line", ...near("border"), paint: border },
  ];
  // The greater ones last: they are named before the others.
  for (const source of ["near-places", "places"]) layers.push({
    // A place as wide as so many people live: a hint of the town under its name.
    id: `${source}-town`,
    type: "circle",
    source,
    minzoom: 6,
    paint: {
      "circle-color": colour("town"),
      "circle-blur": 0.75,
      "circle-opacity": 0.6,
      "circle-pitch-alignment": "map",
      "circle-radius": ["interpolate", ["exponential", 2], ["zoom"], 6, radiusAt(6), 16, radiusAt(16)],
    },
  });
  for (const source of ["near-places", "places"]) layers.push({
    id: `${source}-name`,
    type: "symbol",
    source,
    filter: [">=", ["get", "population"], ["step", ["zoom"], 4e6, 3.5, 1e6, 5, 4e5, 6.5, 1.2e5, 8, 3e4, 9.5, 5000]],
    layout: {
      "text-field": ["get", "name"],
      "text-font": ["Inter Variable"],
      "text-size": ["interpolate", ["linear"], ["zoom"], 3, ["step", ["get", "population"], 10.5, 1e6, 12], 10, ["step", ["get", "population"], 11.5, 5e4, 13, 5e5, 15.5]],
      "text-padding": 10,
      "text-offset": [0, 1.5],
      "text-anchor": "center",
      "text-max-width": 8,
      "symbol-sort-key": ["-", ["get", "population"]],
    },
    paint: { "text-color": colour("place"), "text-halo-color": colour("place-halo"), "text-halo-width": 1.4 },
  });
  const source = (data, tolerance) => ({ type: "geojson", data, tolerance });
  return {
    version: 8,
    sources: {
      land: source(files["land-50m"], 0.3),
      borders: source(files["borders-50m"], 0.3),
      near: source(empty, 0.2),
      "near-places": source(empty, 0),
      places: { ...source(empty, 0), attribution: "Natural Earth · GeoNames" },
    },
    layers,
  };
}

/** What is too much for a first look: large places, and what is seen from near. */
export async function addDetail(map, files) {
  if (!map.getSource("near")) await map.once("style.load"); // A style that was set takes a frame.
  addNear(map, files.near, DETAIL_FROM - 0.7);
  placesOnce ??= fetch(files.places).then(async (answer) => placesOf(await answer.json()));
  const features = await placesOnce;
  map.getSource("places")?.setData({ type: "FeatureCollection", features });
}
let placesOnce;

/** The configured style, or null where it is not to be had within patience. */
export async function remoteStyle(address) {
  if (!address) return null;
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(PATIENCE_MS) });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
