// Where vehicles came from, as lines behind them.
import { drawWay, strokeLine } from "outrider/live/way";

const FROM_ZOOM = 8.5; // From afar trails would hide the map.
const MOST = 200; // With more in sight they would hide each other.
const GAP_US = 120e6;

export const hasTrails = (zoom) => zoom >= FROM_ZOOM;

/** Of those in sight; the one that is looked at stands out, with its `way` where it is known. */
export function drawTrails(c, places, frame, colours, { selected, way, gliding }) {
  if (!hasTrails(frame.zoom)) return;
  const others = places.length > MOST ? [] : places;
  c.lineWidth = 2;
  c.globalAlpha = 0.26;
  for (const place of others) {
    if (place.thing.key === selected) continue;
    c.strokeStyle = colours[place.thing.status];
    for (const [from, to] of stretches(place, frame, gliding)) strokeLine(c, from, to);
  }
  const chosen = places.find(({ thing }) => thing.key === selected);
  c.globalAlpha = 1;
  if (chosen && way?.length > 1) drawWay(c, way, frame, chosen, colours);
  else if (chosen) drawTrailOfChosen(c, stretches(chosen, frame, gliding), colours);
}

function drawTrailOfChosen(c, lines, colours) {
  c.strokeStyle = colours.accent;
  c.globalAlpha = 0.85;
  c.lineWidth = 4;
  c.lineCap = "round";
  c.beginPath();
  for (const [from, to] of lines) {
    c.moveTo(...from);
    c.lineTo(...to);
  }
  c.stroke();
  c.lineCap = "butt";
  c.globalAlpha = 1;
}

// [[from, to]] on the screen, up to where the symbol is seen, which may still be on its way to
// the last point. What was not reported is not drawn as if it had been driven straight.
function stretches({ thing, x, y }, { scale, left, top }, gliding) {
  const { trail } = thing;
  const known = gliding.has(thing) ? trail.slice(0, -1) : trail;
  const points = known.map(([time, wx, wy]) => [time, [wx * scale + left, wy * scale + top]]);
  const lines = [];
  for (let i = 1; i < points.length; i++) {
    const [[before, from], [time, to]] = [points[i - 1], points[i]];
    if (time - before < GAP_US) lines.push([from, to]);
  }
  if (points.length) lines.push([points.at(-1)[1], [x, y]]);
  return lines;
}
