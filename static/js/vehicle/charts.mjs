// A chart for each thing the vehicle reports, one under the other, with one cursor.
import uPlot from "uplot";
import { element, measure } from "outrider/format";
import { colour } from "outrider/live/basemap";
import { before } from "outrider/vehicle/moments";

const INKS = { speed_kmh: "accent", soc_pct: "moving", battery_temp_c: "warning", power_kw: "charging" };
const OTHERS = ["accent", "charging", "idle", "parked", "moving", "warning"];
const HEIGHT = 126;
const REMEMBERED = "outrider.charts";

export class Charts {
  constructor(box, choice, settings, clock, moment, { onZoom, onUnzoom }) {
    Object.assign(this, { box, choice, settings, clock, moment, onZoom, onUnzoom });
    this.plots = new Map();
    this.shown = new Set(this.#remembered() ?? settings.shown);
    moment.addEventListener("change", () => this.#follow());
    document.addEventListener("theme-changed", () => this.#draw());
    new ResizeObserver(() => this.#resize()).observe(box);
  }

  /** Draw what was loaded; see `_drawn` of the page for its shape. */
  show(data) {
    this.data = data;
    const known = data.fields.filter((field) => this.shown.has(field.name));
    // A vehicle that reports none of the usual: show what it does report.
    this.visible = known.length ? known : data.fields.slice(0, 4);
    this.#drawChoice();
    this.#draw();
  }

  #drawChoice() {
    this.choice.replaceChildren(...this.data.fields.map((field) => {
      const on = this.visible.includes(field);
      return element("button", { type: "button", class: "chip", "aria-pressed": String(on), "data-field": field.name, onclick: () => this.#toggle(field) }, field.label);
    }));
  }

  #toggle(field) {
    const names = new Set(this.visible.map((each) => each.name));
    if (!names.delete(field.name)) names.add(field.name);
    this.shown = names;
    localStorage.setItem(REMEMBERED, JSON.stringify([...names]));
    this.show(this.data);
    this.choice.querySelector(`[data-field="${field.name}"]`)?.focus();
  }

  #remembered() {
    try {
      return JSON.parse(localStorage.getItem(REMEMBERED));
    } catch {
      return null;
    }
  }

  #draw() {
    if (!this.data) return;
    for (const { plot } of this.plots.values()) plot.destroy();
    this.plots.clear();
    this.ink = Object.fromEntries(["rule", "text-faint", "text", "text-soft", "accent", "warning", "well", "panel"].map((name) => [name, colour(name)]));
    this.box.replaceChildren(...this.visible.map((field, at) => this.#card(field, at)));
    this.#follow();
  }

  #card(field, at) {
    const now = element("output", { class: "chart__now" }, "–");
    const { unit } = measure(0, field.unit);
    const head = element("div", { class: "chart__head" }, element("h3", {}, `${field.label}${unit ? ` · ${unit}` : ""}`), now);
    const canvas = element("div", { class: "chart__plot" });
    const card = element("div", { class: "chart card" }, head, canvas);
    const start = this.data.start;
    const times = field.t.map((t) => (start + t) / 1000);
    const convert = (v) => (v == null ? null : Number(measure(v, field.unit).unit === field.unit ? v : scaled(v, field.unit)));
    const values = field.v.map(convert);
    const stroke = colour(INKS[field.name] ?? OTHERS[at % OTHERS.length]);
    const plot = new uPlot(this.#options(field, stroke), [times, values], canvas);
    this.plots.set(field.name, { plot, now, field, times, values });
    return card;
  }

  #options(field, stroke) {
    const { rule, "text-faint": faint } = this.ink;
    const axis = { stroke: faint, font: '10.5px "Inter Variable", sans-serif', grid: { stroke: rule, width: 1 }, ticks: { show: false } };
    const day = 86400;
    return {
      width: this.#width(),
      height: HEIGHT,
      padding: [6, 8, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(this.clock.wall(seconds * 1000)), "Etc/UTC"),
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false },
        points: { size: 8, width: 2, fill: stroke, stroke: this.ink.panel },
        bind: { dblclick: () => () => { this.onUnzoom(); return null; } },
      },
      scales: {
        x: { range: () => [this.data.start / 1000, this.data.end / 1000] },
        y: { range: (_, low, high) => padded(low, high, field) },
      },
      axes: [
        { ...axis, size: 22, gap: 3, space: 70, values: (_, splits, __, ___, step) => splits.map((s) => (step >= day ? this.clock.day(s * 1000) : step < 60 ? this.clock.second(s * 1000) : this.clock.minute(s * 1000))) },
        { ...axis, size: 44, gap: 5, space: 34 },
      ],
      series: [{}, { stroke, width: 1.6, points: { show: false }, spanGaps: false, paths: field.name === "energy_dc_kwh" ? uPlot.paths.points() : undefined }],
      hooks: {
        drawClear: [(plot) => this.#ground(plot)],
        setCursor: [(plot) => this.#pointed(plot)],
        setSelect: [(plot) => this.#selected(plot)],
        ready: [(plot) => this.#reachable(plot)],
      },
    };
  }

  // Leaving a chart leaves the moment where it is: the charts are a reading aid, not a toy.
  #reachable(plot) {
    plot.over.addEventListener("pointerleave", () => this.#follow());
  }

  /** Behind the line: silence hatched, late readings as a band at the top, invalid ones below. */
  #ground(plot) {
    const { ctx, bbox } = plot;
    const x = (offset) => Math.round(plot.valToPos((this.data.start + offset) / 1000, "x", true));
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const { from, to } of this.data.gaps) hatch(ctx, x(from), bbox.top, Math.max(x(to) - x(from), 2), bbox.height, this.ink);
    ctx.fillStyle = this.ink.accent;
    for (const [from, to] of this.data.late) ctx.fillRect(x(from), bbox.top, Math.max(x(to) - x(from), 3), 4 * devicePixelRatio);
    ctx.fillStyle = this.ink.warning;
    for (const [from, to] of this.data.invalid) ctx.fillRect(x(from), bbox.top + bbox.height - 4 * devicePixelRatio, Math.max(x(to) - x(from), 3), 4 * devicePixelRatio);
    ctx.restore();
  }

  #pointed(plot) {
    if (this.following || plot.cursor.left == null || plot.cursor.left < 0) return;
    const at = plot.posToVal(plot.cursor.left, "x") * 1000;
    if (Number.isFinite(at)) this.moment.set(at, "charts"); // It is not before the first drawing.
  }

  #selected(plot) {
    const { left, width } = plot.select;
    if (width < 6) return;
    const [from, to] = [left, left + width].map((at) => plot.posToVal(at, "x") * 1000);
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.onZoom(from, to);
  }

  /** Every chart's cursor goes to the moment, its value to the head of the card. */
  #follow() {
    const { at } = this.moment;
    if (at == null || !this.data) return;
    this.following = true;
    for (const { plot, now, field, times, values } of this.plots.values()) {
      const left = plot.valToPos(at / 1000, "x");
      plot.setCursor({ left, top: 0 }, false);
      const place = before(times, at / 1000 + 0.0005);
      now.textContent = place >= 0 && values[place] != null ? measure(field.v[place], field.unit).text : "–";
    }
    this.following = false;
  }

  #width() {
    return Math.max(this.box.clientWidth - 2, 120);
  }

  #resize() {
    const width = this.#width();
    for (const { plot } of this.plots.values()) if (plot.width !== width) plot.setSize({ width, height: HEIGHT });
    this.#follow();
  }
}

function scaled(value, unit) {
  if (unit === "km/h" || unit === "km") return value * 0.621371;
  if (unit === "m") return value * 3.28084;
  return (value * 9) / 5 + 32;
}

function padded(low, high, field) {
  if (low == null) return [0, 1];
  if (field.name === "soc_pct") return [0, 100];
  const span = high - low || Math.abs(high) || 1;
  const bottom = low >= 0 && low < span ? 0 : low - span * 0.08;
  return [bottom, high + span * 0.08];
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
  ctx.globalAlpha = 0.38;
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
