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

// Of a disc with 8,000 people to the square kilometre, in pixels at a zoom and 45 degrees.
const METRES_PER_PIXEL = 78271.5 * Math.SQRT1_2;
const radiusAt = (zoom) => ["*", ["sqrt", ["get", "population"]], (6.3 * 2 ** zoom) / METRES_PER_PIXEL];

/** Our own style, in the colours of the theme. */
export function ownStyle(files) {
  const empty = { type: "FeatureCollection", features: [] };
  const outline = ["interpolate", ["linear"], ["zoom"], 2, 0.6, 10, 1.4];
  const coarse = {}; // Until the fine one is there: see addDetail.
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
    // A place as wide as so many people live: a hint of the town under its name.
    id: "towns",
    type: "circle",
    source: "places",
    minzoom: 6,
    paint: {
      "circle-color": colour("town"),
      "circle-blur": 0.75,
      "circle-opacity": 0.6,
      "circle-pitch-alignment": "map",
      "circle-radius": ["interpolate", ["exponential", 2], ["zoom"], 6, radiusAt(6), 16, radiusAt(16)],
    },
  }, {
    id: "places",
    type: "symbol",
    source: "places",
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
      "land-50m": source(files["land-50m"], 0.3),
      "borders-50m": source(files["borders-50m"], 0.3),
      "land-10m": source(empty, 0.2),
      "borders-10m": source(empty, 0.2),
      places: { ...source(empty, 0), attribution: "Natural Earth · GeoNames" },
    },
    layers,
  };
}

/** What is too much for a first look: fine coasts once they can be seen, and places. */
export async function addDetail(map, files) {
  const places = await columns(files.places);
  map.getSource("places")?.setData(places);
  const addFine = async () => {
    if (map.getZoom() < DETAIL_FROM - 0.7) return;
    map.off("zoom", addFine);
    const fine = ["land-10m", "borders-10m"].map((name) => map.getSource(name)?.setData(files[name]));
    await Promise.all(fine);
    for (const layer of ["land-50m", "coast-50m", "border-50m"]) if (map.getLayer(layer)) map.setLayerZoomRange(layer, 0, DETAIL_FROM);
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
