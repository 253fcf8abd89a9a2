// What a rule looks at: the line, its thresholds, when the alert waited and when it was open.
import { element, measure } from "outrider/format";
import { colour } from "outrider/live/basemap";
import { gettext, interpolate } from "outrider/words";
import { hatch } from "outrider/vehicle/ground";
import { Clocks } from "outrider/vehicle/moments";

const { uPlot } = globalThis; // Of the script that its pages load before their modules.

const HEIGHT = 190;
const INKS = ["rule", "text-faint", "text-soft", "accent", "critical", "warning", "critical-wash", "well", "panel", "moving"];

/** Draws `series` one under the other into `box`, and again when theme or width change. */
export class RuleCharts {
  constructor(box, { height = HEIGHT } = {}) {
    this.box = box;
    this.height = height;
    this.plots = [];
    this.clock = new Clocks();
    document.addEventListener("theme-changed", () => this.#draw());
    new ResizeObserver(() => {
      const width = this.#width();
      for (const plot of this.plots) if (plot.width !== width) plot.setSize({ width, height: this.height });
    }).observe(box);
  }

  /** @param data {series, from, to, clock, episodes: [{started, opened, resolved}], moments} */
  show(data) {
    this.data = data;
    this.clock.set(data.clock);
    this.#draw();
  }

  #draw() {
    if (!this.data) return;
    for (const plot of this.plots) plot.destroy();
    this.ink = Object.fromEntries(INKS.map((name) => [name, colour(name)]));
    this.plots = [];
    this.box.replaceChildren(...this.data.series.map((series) => this.#figure(series)));
  }

  #figure(series) {
    const shown = (value) => (value == null ? "–" : series.steps ? (value ? gettext("yes") : gettext("no")) : words(value, series.unit));
    const now = element("output", { class: "rule-chart__now" });
    const unit = measure(0, series.unit).unit;
    const canvas = element("div", { class: "rule-chart__plot" });
    const figure = element("figure", { class: "rule-chart", "data-series": series.name },
      element("figcaption", {}, element("b", {}, series.label + (unit ? ` · ${unit}` : "")), ...this.#legend(series, shown), now), canvas);
    const factor = (value) => (value == null ? null : Number(convert(value, series.unit)));
    const data = [series.t.map((ms) => ms / 1000), series.v.map(factor)];
    const options = this.#options(series, factor, (plot) => {
      const at = plot.cursor.idx;
      now.textContent = at == null ? "" : `${this.clock.second(data[0][at] * 1000)} · ${shown(series.v[at])}`;
    });
    this.plots.push(new uPlot(options, data, canvas));
    return figure;
  }

  #legend(series, shown) {
    return series.thresholds.map(({ is, value }) => {
      const text = is === "opens" ? gettext("opens at %(value)s") : gettext("clears at %(value)s");
      return element("span", { class: `rule-chart__key rule-chart__key--${is}` }, interpolate(text, { value: shown(value) }));
    });
  }

  #options(series, factor, pointed) {
    const { rule, "text-faint": faint, accent } = this.ink;
    const { from, to } = this.data;
    const axis = { stroke: faint, font: '10.5px "Inter Variable", sans-serif', grid: { stroke: rule, width: 1 }, ticks: { show: false } };
    const limits = series.thresholds.map((each) => factor(each.value));
    const marks = (splits, step) => splits.map((s) => this.clock[step >= 86400 ? "day" : step < 60 ? "second" : "minute"](s * 1000));
    return {
      width: this.#width(),
      tzDate: (seconds) => uPlot.tzDate(new Date(this.clock.wall(seconds * 1000)), "Etc/UTC"),
      height: series.steps ? this.height / 2 : this.height,
      padding: [8, 10, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: { range: () => [from / 1000, to / 1000] },
        y: { range: (_, low, high) => (series.steps ? [-0.1, 1.1] : around(low, high, limits)) },
      },
      axes: [
        { ...axis, size: 24, gap: 4, space: 74, values: (_, splits, __, ___, step) => marks(splits, step) },
        { ...axis, size: 48, gap: 5, space: 34, ...(series.steps ? { splits: () => [0, 1], values: () => [gettext("no"), gettext("yes")] } : {}) },
      ],
      series: [{}, {
        stroke: accent,
        width: 1.7,
        spanGaps: false,
        points: { show: (plot) => plot.data[0].length < 120, size: 4, stroke: accent, fill: this.ink.panel },
        paths: series.steps ? uPlot.paths.stepped({ align: 1 }) : undefined,
      }],
      hooks: {
        drawClear: [(plot) => this.#ground(plot)],
        draw: [(plot) => this.#thresholds(plot, series, factor)],
        setCursor: [pointed],
      },
    };
  }

  /** Behind the line: what would have been an alert, and before it the hold-off, hatched. */
  #ground(plot) {
    const { ctx, bbox } = plot;
    const x = (ms) => Math.min(Math.max(plot.valToPos(ms / 1000, "x", true), bbox.left), bbox.left + bbox.width);
    for (const { started, opened, resolved } of this.data.episodes ?? []) {
      const [a, b, c] = [x(started), x(opened), x(resolved ?? this.data.to)];
      ctx.fillStyle = this.ink["critical-wash"];
      ctx.fillRect(b, bbox.top, Math.max(c - b, 2), bbox.height);
      if (b - a > 1) hatch(ctx, a, bbox.top, b - a, bbox.height, { well: this.ink.well, "text-faint": this.ink.warning });
      ctx.fillStyle = this.ink.critical;
      ctx.fillRect(b, bbox.top, Math.max(devicePixelRatio * 1.5, 1), bbox.height);
    }
  }

  #thresholds(plot, series, factor) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.lineWidth = 1.5 * devicePixelRatio;
    for (const { is, value } of series.thresholds) {
      const y = Math.round(plot.valToPos(factor(value), "y", true));
      ctx.strokeStyle = is === "opens" ? this.ink.critical : this.ink.moving;
      ctx.setLineDash(is === "opens" ? [] : [6 * devicePixelRatio, 5 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  #width() {
    return Math.max(this.box.clientWidth, 160);
  }
}

const convert = (value, unit) => {
  const factor = { mph: 0.621371, mi: 0.621371, ft: 3.28084 }[measure(0, unit).unit];
  if (factor && measure(0, unit).unit !== unit) return value * factor;
  return measure(0, unit).unit === "°F" && unit === "°C" ? (value * 9) / 5 + 32 : value;
};

function words(value, unit) {
  const { text, unit: name } = measure(value, unit);
  return `${text} ${name}`.trim();
}

/** The values and the thresholds, with some air. */
function around(low, high, limits) {
  const all = [...limits, ...(low == null ? [] : [low, high])];
  const [least, most] = all.length ? [Math.min(...all), Math.max(...all)] : [0, 1];
  const air = (most - least || Math.abs(most) || 1) * 0.1;
  return [least >= 0 && least < air * 4 ? 0 : least - air, most + air];
}
