// The way of the last hour, coloured by speed, under a rim that sets it off from the ground.

const GAP_US = 300e6;
const APART_PX = 2;
const BEYOND_PX = 10;
// Standing, slow, town, road, motorway; km/h.
const FROM_KMH = [0, 3, 30, 60, 90];
/** Names of the colours, slow to fast. */
export const PACES = FROM_KMH.map((_, pace) => `pace-${pace}`);

export const paceOf = (kmh) => PACES[FROM_KMH.findLastIndex((from) => (kmh ?? 0) >= from)] ?? PACES[0];

/** Its lines on the screen, [{pace, from: [x, y], to: [x, y]}]. What was not reported is not drawn
 * as if it had been driven straight; points that cannot be told apart cost nothing, however
 * often a vehicle says where it stands. */
export function linesOf(way, { scale, left, top }) {
  const lines = [];
  let [from, heard] = [null, -Infinity];
  for (const [time, wx, wy, kmh] of way) {
    const [x, y] = [wx * scale + left, wy * scale + top];
    if (time - heard > GAP_US) from = [x, y];
    else if (Math.hypot(x - from[0], y - from[1]) >= APART_PX) {
      lines.push({ pace: paceOf(kmh), from, to: [x, y] });
      from = lines.at(-1).to;
    }
    heard = time;
  }
  return lines;
}

/** A line at a time: of a path of many lines each one takes several times as long where no
 * graphics card draws. */
export function strokeLine(c, from, to) {
  c.beginPath();
  c.moveTo(...from);
  c.lineTo(...to);
  c.stroke();
}

/** Up to `place`, where the vehicle is seen now. */
export function drawWay(c, way, frame, place, colours) {
  const found = linesOf(way, frame);
  const last = found.at(-1);
  if (last) found.push({ pace: last.pace, from: last.to, to: [place.x, place.y] });
  const lines = found.filter((line) => isInSight(line, frame));
  c.lineCap = "square"; // It closes the corners.
  for (const [width, colourOf] of [[7, () => colours.panel], [4, (pace) => colours[pace]]]) {
    c.lineWidth = width;
    for (const { pace, from, to } of lines) {
      c.strokeStyle = colourOf(pace);
      strokeLine(c, from, to);
    }
  }
  c.lineCap = "butt";
}

function isInSight({ from: [x, y], to: [u, v] }, { width, height }) {
  return Math.max(x, u) > -BEYOND_PX && Math.min(x, u) < width + BEYOND_PX && Math.max(y, v) > -BEYOND_PX && Math.min(y, v) < height + BEYOND_PX;
}
