// The ground under the fleet: the configured map where it can be reached, else our own of
// coasts, borders and places. Ours is there at once; the other replaces it when it answers.

const PATIENCE_MS = 4000;
const DETAIL_FROM = 5.2;

/** A custom property as a plain colour that MapLibre can read. */
export function colour(name) {
  const probe = colour.probe ?? (colour.probe = document.body.appendChild(document.createElement("i")));
  probe.hidden = true;
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** Our own style, in the colours of the theme. */
export function ownStyle(files) {
  const empty = { type: "FeatureCollection", features: [] };
  const outline = ["interpolate", ["linear"], ["zoom"], 2, 0.6, 10, 1.4];
  const coarse = { maxzoom: DETAIL_FROM };
  const fine = { minzoom: DETAIL_FROM };
  const layers = [{ id: "water", type: "background", paint: { "background-color": colour("water") } }];
  for (const [detail, range] of [["50m", coarse], ["10m", fine]]) {
    layers.push(
      { id: `land-${detail}`, type: "fill", source: `land-${detail}`, ...range, paint: { "fill-color": colour("land"), "fill-antialias": false } },
      { id: `coast-${detail}`, type: "line", source: `land-${detail}`, ...range, paint: { "line-color": colour("coast"), "line-width": outline } },
      { id: `border-${detail}`, type: "line", source: `borders-${detail}`, ...range, paint: { "line-color": colour("border"), "line-width": outline, "line-dasharray": [3, 2] } },
    );
  }
  layers.push({
    id: "places",
    type: "symbol",
    source: "places",
    filter: [">=", ["get", "population"], ["step", ["zoom"], 4e6, 3.5, 1e6, 5, 4e5, 6.5, 1.2e5, 8, 3e4, 9.5, 5000]],
    layout: {
      "text-field": ["get", "name"],
      "text-font": ["Inter Variable"],
      "text-size": ["interpolate", ["linear"], ["zoom"], 3, ["step", ["get", "population"], 10.5, 1e6, 12], 10, ["step", ["get", "population"], 11.5, 5e4, 13, 5e5, 15.5]],
      "text-padding": 14,
      "text-max-width": 8,
      "symbol-sort-key": ["-", ["get", "population"]],
    },
    paint: { "text-color": colour("place"), "text-halo-color": colour("place-halo"), "text-halo-width": 1.4 },
  });
  const source = (data, tolerance) => ({ type: "geojson", data, tolerance });
  return {
    version: 8,
    sources: {
      "land-50m": { ...source(files["land-50m"], 0.3), attribution: "Natural Earth · GeoNames" },
      "borders-50m": source(files["borders-50m"], 0.3),
      "land-10m": source(empty, 0.2),
      "borders-10m": source(empty, 0.2),
      places: source(empty, 0),
    },
    layers,
  };
}

/** What is too much for a first look: fine coasts once they can be seen, and places. */
export async function addDetail(map, files) {
  const places = await columns(files.places);
  map.getSource("places")?.setData(places);
  const addFine = () => {
    if (map.getZoom() < DETAIL_FROM - 0.7 || !map.getSource("land-10m")) return;
    map.off("zoom", addFine);
    map.getSource("land-10m").setData(files["land-10m"]);
    map.getSource("borders-10m").setData(files["borders-10m"]);
  };
  map.on("zoom", addFine);
  addFine();
}

let placesOnce;
function columns(address) {
  placesOnce ??= fetch(address).then(async (answer) => {
    const { names, population, lon, lat } = await answer.json();
    const features = names.map((name, i) => ({
      type: "Feature",
      properties: { name, population: population[i] },
      geometry: { type: "Point", coordinates: [lon[i], lat[i]] },
    }));
    return { type: "FeatureCollection", features };
  });
  return placesOnce;
}

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
