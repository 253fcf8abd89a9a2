// The way of the last hour, coloured by speed, under a rim that sets it off from the ground.

const GAP_US = 300e6;
// Standing, slow, town, road, motorway; km/h.
const FROM_KMH = [0, 3, 30, 60, 90];
/** Names of the colours, slow to fast. */
export const PACES = FROM_KMH.map((_, pace) => `pace-${pace}`);

export const paceOf = (kmh) => PACES[FROM_KMH.findLastIndex((from) => (kmh ?? 0) >= from)] ?? PACES[0];

/** Its stretches as points on the screen, one for each change of colour and each gap: what was
 * not reported is not drawn as if it had been driven straight. [{pace, points: [[x, y]]}] */
export function stretches(way, { scale, left, top }) {
  const found = [];
  let before = null;
  for (const [time, wx, wy, kmh] of way) {
    const [point, pace] = [[wx * scale + left, wy * scale + top], paceOf(kmh)];
    const last = found.at(-1);
    const isGap = !before || time - before.time > GAP_US;
    if (isGap || pace !== last.pace) found.push({ pace, points: isGap ? [point] : [before.point, point] });
    else last.points.push(point);
    before = { time, point };
  }
  return found;
}

/** Up to `place`, where the vehicle is seen now. */
export function drawWay(c, way, frame, place, colours) {
  const found = stretches(way, frame);
  found.at(-1).points.push([place.x, place.y]);
  for (const [width, colourOf] of [[7, () => colours.panel], [4, (pace) => colours[pace]]]) {
    c.globalAlpha = width === 7 ? 0.7 : 1;
    c.lineWidth = width;
    for (const { pace, points } of found) {
      c.strokeStyle = colourOf(pace);
      c.beginPath();
      c.moveTo(...points[0]);
      for (const point of points) c.lineTo(...point);
      c.stroke();
    }
  }
  c.globalAlpha = 1;
}
