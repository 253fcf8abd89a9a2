// What lies behind and across the line of a chart: silence, late and invalid readings, thresholds.
import { gettext } from "outrider/words";

/** Silence hatched with its reason, late readings as a band at the top, invalid ones below. */
export function drawGround(plot, data, ink) {
  const { ctx, bbox } = plot;
  const x = (offset) => Math.round(plot.valToPos((data.start + offset) / 1000, "x", true));
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { from, to, why } of data.gaps) {
    const [left, width] = [x(from), Math.max(x(to) - x(from), 2)];
    hatch(ctx, left, bbox.top, width, bbox.height, ink);
    label(ctx, Math.max(left, bbox.left), Math.min(left + width, bbox.left + bbox.width), bbox, why, ink);
  }
  ctx.fillStyle = ink.accent;
  for (const [from, to] of data.late) ctx.fillRect(x(from), bbox.top, Math.max(x(to) - x(from), 3), 4 * devicePixelRatio);
  ctx.fillStyle = ink.warning;
  for (const [from, to] of data.invalid) ctx.fillRect(x(from), bbox.top + bbox.height - 4 * devicePixelRatio, Math.max(x(to) - x(from), 3), 4 * devicePixelRatio);
  ctx.restore();
}

/** The reason in the middle of the hatching, where there is room for it. */
function label(ctx, left, right, bbox, why, ink) {
  ctx.font = `${11 * devicePixelRatio}px "Inter Variable", sans-serif`;
  const width = ctx.measureText(why).width + 14 * devicePixelRatio;
  if (width > right - left) return;
  const [x, y, half] = [(left + right) / 2, bbox.top + bbox.height / 2, 9 * devicePixelRatio];
  ctx.fillStyle = ink.well;
  ctx.fillRect(x - width / 2, y - half, width, 2 * half);
  ctx.fillStyle = ink["text-soft"];
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText(why, x, y);
}

/** Dashed lines with their name: what an alert about this chart compared with. */
export function drawLimits(plot, limits, ink) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = ink.critical;
  ctx.lineWidth = devicePixelRatio;
  ctx.font = `${10.5 * devicePixelRatio}px "Inter Variable", sans-serif`;
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const limit of limits) {
    const y = Math.round(plot.valToPos(limit, "y", true));
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillText(`${gettext("Alert")} ${limit}`, bbox.left + bbox.width - 6 * devicePixelRatio, y - 2 * devicePixelRatio);
  }
  ctx.restore();
}

/** Diagonal lines: nothing is known here. */
export function hatch(ctx, left, top, width, height, ink) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.fillStyle = ink.well;
  ctx.fillRect(left, top, width, height);
  ctx.strokeStyle = ink["text-faint"];
  ctx.globalAlpha = 0.26;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  const step = 7 * devicePixelRatio;
  for (let x = left - height - ((left - height) % step); x < left + width; x += step) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
  ctx.restore();
}
