// Degrees as thin lines with their numbers at the rim: where one is, also without a street map.
import { fixed } from "outrider/format";
import { gettext, interpolate } from "outrider/words";

const STEPS = [30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];
const APART_PX = 130;
const [HEAD_PX, FOOT_PX] = [32, 18];

const [EAST, WEST, NORTH, SOUTH] = [gettext("%(degrees)s° E"), gettext("%(degrees)s° W"), gettext("%(degrees)s° N"), gettext("%(degrees)s° S")];
const named = (name, value, digits) => interpolate(name, { degrees: fixed(Math.abs(value), digits) });

const lonOf = (x) => x * 360 - 180;
const latOf = (y) => (Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) * 360) / Math.PI - 90;
const xOf = (lon) => (lon + 180) / 360;
const yOf = (lat) => 0.5 - Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)) / (2 * Math.PI);

export function drawGraticule(c, frame, colours) {
  const { scale, left, top, width, height } = frame;
  const perDegree = scale / 360;
  const step = STEPS.findLast((s) => s * perDegree >= APART_PX) ?? STEPS[0];
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  c.globalAlpha = 0.9;
  c.font = '10px "Inter Variable", sans-serif';
  c.textAlign = "center";
  const west = Math.max(-180, lonOf(-left / scale));
  const east = Math.min(180, lonOf((width - left) / scale));
  for (let lon = Math.ceil(west / step) * step; lon <= east; lon += step) {
    const x = Math.round(xOf(lon) * scale + left);
    // As bars: a path of lines takes longer where no graphics card draws.
    c.fillStyle = colours.grid;
    c.fillRect(x, 0, 1, height);
    c.fillStyle = colours.place;
    c.fillText(named(lon < 0 ? WEST : EAST, lon, digits), x, 13);
  }
  c.textAlign = "right";
  const north = Math.min(85, latOf(-top / scale));
  const south = Math.max(-85, latOf((height - top) / scale));
  for (let lat = Math.ceil(south / step) * step; lat <= north; lat += step) {
    const y = Math.round(yOf(lat) * scale + top);
    c.fillStyle = colours.grid;
    c.fillRect(0, y, width, 1);
    c.fillStyle = colours.place;
    // Not where the other numbers, or the map's own words, stand.
    if (y > HEAD_PX && y < height - FOOT_PX) c.fillText(named(lat < 0 ? SOUTH : NORTH, lat, digits), width - 6, y - 4);
  }
  c.globalAlpha = 1;
}
