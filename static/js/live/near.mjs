// What of our own map is seen only from near: fine coasts, borders and small places, in blocks
// of a grid. A page fetches those in sight, and the map takes them in one by one: all of the
// world at once would hold the page up for a second.

const BLOCK = 15; // Degrees; as in scripts/build_map.mjs.
const SOUTHMOST = -60;
const COLUMNS = 360 / BLOCK;
const MOST_PLACES = 10_000;

const fetched = new Map();
const lookingAt = new WeakMap();

/** @param blocks {name: address} @param from the zoom from which on it is wanted */
export function addNear(map, blocks, from) {
  if (lookingAt.has(map)) map.off("moveend", lookingAt.get(map)); // It was for a style that is gone.
  const shown = new Set();
  const look = async () => {
    if (map.getZoom() < from || !map.getSource("near")) return; // Too far, or not on our own map.
    const wanted = inSight(map.getBounds()).filter((name) => blocks[name] && !shown.has(name));
    for (const name of wanted) shown.add(name);
    for (const [name, coming] of wanted.map((name) => [name, featuresOf(name, blocks[name])])) {
      const found = await coming.catch(() => null);
      if (!found) {
        shown.delete(name); // The coarse map stays, until it is looked at again.
        continue;
      }
      map.getSource("near")?.updateData({ add: found.shapes });
      map.getSource("near-places")?.updateData({ add: found.places });
      await new Promise((next) => setTimeout(next)); // One at a time: others want the page, too.
    }
  };
  lookingAt.set(map, look);
  map.on("moveend", look);
  look();
}

function inSight(bounds) {
  const cell = (degrees, first) => Math.floor((degrees - first) / BLOCK);
  const names = [];
  for (let x = cell(bounds.getWest(), -180); x <= cell(bounds.getEast(), -180); x++) {
    for (let y = cell(bounds.getSouth(), SOUTHMOST); y <= cell(bounds.getNorth(), SOUTHMOST); y++) {
      names.push(`${((x % COLUMNS) + COLUMNS) % COLUMNS}_${y}`);
    }
  }
  return names;
}

function featuresOf(name, address) {
  if (!fetched.has(address)) {
    const coming = fetch(address).then(async (answer) => shaped(name, await answer.json()));
    coming.catch(() => fetched.delete(address));
    fetched.set(address, coming);
  }
  return fetched.get(address);
}

function shaped(name, { land, coasts, borders, places }) {
  const [column, row] = name.split("_").map(Number);
  const [west, south] = [column * BLOCK - 180, SOUTHMOST + row * BLOCK];
  const [east, north] = [west + BLOCK, south + BLOCK];
  const frame = [[[west, south], [east, south], [east, north], [west, north], [west, south]]];
  const number = column * 100 + row;
  const kinds = [["water", "Polygon", frame], ["land", "MultiPolygon", land], ["coast", "MultiLineString", coasts], ["border", "MultiLineString", borders]];
  return {
    shapes: kinds.map(([kind, type, coordinates], i) => ({ type: "Feature", id: number * 10 + i, properties: { kind }, geometry: { type, coordinates } })),
    places: placesOf(places, number * MOST_PLACES),
  };
}

/** Columns as features; `first`: the number of the first of them. */
export function placesOf({ names, population, lon, lat }, first = 0) {
  return names.map((name, i) => ({
    type: "Feature",
    id: first + i,
    properties: { name, population: population[i] },
    geometry: { type: "Point", coordinates: [lon[i], lat[i]] },
  }));
}
