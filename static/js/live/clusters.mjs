// What is too close to be told apart becomes one ring that says how many of which status.
import { shortCount } from "outrider/format";
import { STATUSES } from "outrider/live/status";

const CELL_PX = 58;

/** Things at a place from how many on become a cluster: the closer the view, the more. */
const crowd = (zoom) => (zoom < 8 ? 2 : zoom < 11 ? 4 : 8);

/** {clusters, single} of the places in sight. The cells lie fast in the world, not on the
 * screen, so that a cluster does not flicker when the map is moved. */
export function gather(places, frame, selected) {
  const level = 2 ** (Math.floor(frame.zoom * 2) / 2);
  const cells = 512 * level / CELL_PX;
  const inCell = new Map();
  const single = [];
  for (const place of places) {
    if (place.thing.key === selected) {
      single.push(place);
      continue;
    }
    const { x, y } = place.thing.shown;
    const cell = Math.floor(x * cells) * 1e7 + Math.floor(y * cells);
    const there = inCell.get(cell);
    if (there) there.push(place);
    else inCell.set(cell, [place]);
  }
  const clusters = [];
  const least = crowd(frame.zoom);
  const alone = [];
  for (const there of inCell.values()) {
    if (there.length < least) alone.push(...there);
    else clusters.push(there);
  }
  const apart = joined(clusters.sort((a, b) => b.length - a.length).map(cluster));
  // What would lie on a ring belongs to it; close by, where things are told apart, it does not.
  for (const place of alone) {
    const near = frame.zoom < 11 && apart.find((each) => Math.hypot(each.x - place.x, each.y - place.y) < each.radius + 6);
    if (near) near.places.push(place);
    else single.push(place);
  }
  return { clusters: apart.map(({ places }) => cluster(places)), single };
}

// Cells are square and fixed: of two rings that overlap the greater takes the other in.
function joined(clusters) {
  const apart = [];
  for (const each of clusters) {
    const near = apart.find((other) => Math.hypot(other.x - each.x, other.y - each.y) < other.radius + each.radius);
    if (near) near.places.push(...each.places);
    else apart.push(each);
  }
  return apart;
}

function cluster(places) {
  let [x, y, level] = [0, 0, 0];
  const counts = {};
  for (const place of places) {
    x += place.x;
    y += place.y;
    level = Math.max(level, place.thing.level);
    counts[place.thing.status] = (counts[place.thing.status] ?? 0) + 1;
  }
  const n = places.length;
  return { x: x / n, y: y / n, count: n, counts, level, places, radius: 13 + Math.min(13, Math.log2(n) * 1.9), things: places.map((place) => place.thing) };
}

/** @param sprites where their rings are kept */
export function drawClusters(c, clusters, sprites) {
  for (const { x, y, count, counts, radius, level } of clusters) {
    const parts = STATUSES.filter((status) => counts[status]).map((status) => [status, counts[status]]);
    sprites.stand(c, sprites.ring(radius, parts, count, shortCount(count), level), x, y);
  }
}
