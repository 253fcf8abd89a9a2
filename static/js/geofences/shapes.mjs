// Shapes of geofences on the map. A circle is one about its centre's degrees, as the engine
// judges it; a corridor is a line with a width in metres.

const METRES_PER_DEGREE = 111320;
const METRES_PER_PIXEL = 78271.517; // Of the equator, at zoom 0.
const CORNERS = 64;
const radians = (degrees) => (degrees * Math.PI) / 180;
const round = (value, digits = 7) => Number(value.toFixed(digits));

const northing = (lat) => (Math.log(Math.tan(Math.PI / 4 + radians(lat) / 2)) * 180) / Math.PI;
const latitude = (y) => (Math.atan(Math.exp(radians(y))) * 360) / Math.PI - 90;

/** The closed ring of a circle, round on the map. */
export function ringOf({ centre: [lon, lat], radius_m: radius }) {
  const reach = radius / METRES_PER_DEGREE / Math.cos(radians(lat));
  const ring = [];
  for (let i = 0; i < CORNERS; i++) {
    const angle = (i * 2 * Math.PI) / CORNERS;
    ring.push([round(lon + reach * Math.cos(angle)), round(latitude(northing(lat) + reach * Math.sin(angle)))]);
  }
  return [...ring, ring[0]];
}

/** The circle that such a ring shows. */
export function circleOf(ring) {
  const lons = ring.map(([lon]) => lon);
  const ys = ring.map(([, lat]) => northing(lat));
  const lon = (Math.min(...lons) + Math.max(...lons)) / 2;
  const lat = latitude((Math.min(...ys) + Math.max(...ys)) / 2);
  const metres = ((Math.max(...lons) - Math.min(...lons)) / 2) * METRES_PER_DEGREE * Math.cos(radians(lat));
  return { type: "circle", centre: [round(lon), round(lat)], radius_m: Math.max(1, Math.round(metres)) };
}

/** How many metres a pixel of the map is. */
export const metresOf = (zoom, lat) => (METRES_PER_PIXEL * Math.cos(radians(lat))) / 2 ** zoom;

/** Between two positions that are not far apart. */
export function metresBetween([lon, lat], [lon2, lat2]) {
  return Math.hypot((lon2 - lon) * Math.cos(radians(lat)), lat2 - lat) * METRES_PER_DEGREE;
}

/** Every position of a shape; what a map has to show to show all of it. */
export function positionsOf(shape) {
  if (shape.type === "circle") return ringOf(shape);
  return shape.type === "corridor" ? shape.line : shape.rings[0];
}

const closed = (ring) => (String(ring[0]) === String(ring.at(-1)) ? ring : [...ring, ring[0]]);

// Over the antimeridian longitudes go on growing, and the shape is drawn on either side of it.
function unwrapped(lines) {
  const lons = lines.flat().map(([lon]) => lon);
  if (Math.max(...lons) - Math.min(...lons) <= 180) return [lines];
  const grown = lines.map((line) => line.map(([lon, lat]) => [lon < 0 ? lon + 360 : lon, lat]));
  return [grown, grown.map((line) => line.map(([lon, lat]) => [lon - 360, lat]))];
}

/** The shape as a GeoJSON feature. `width` is in pixels at zoom 0: twice as much at zoom 1. */
export function featureOf(shape, properties = {}) {
  if (shape.type === "corridor") {
    const lat = shape.line[Math.floor(shape.line.length / 2)][1];
    const width = shape.width_m / metresOf(0, lat);
    const lines = unwrapped([shape.line]).map(([line]) => line);
    return { type: "Feature", properties: { ...properties, width }, geometry: { type: "MultiLineString", coordinates: lines } };
  }
  const rings = shape.type === "circle" ? [ringOf(shape)] : shape.rings.map(closed);
  return { type: "Feature", properties, geometry: { type: "MultiPolygon", coordinates: unwrapped(rings) } };
}

/** The width of a corridor's line at every zoom. */
export const METRIC_WIDTH = ["interpolate", ["exponential", 2], ["zoom"], 0, ["get", "width"], 22, ["*", ["get", "width"], 2 ** 22]];
