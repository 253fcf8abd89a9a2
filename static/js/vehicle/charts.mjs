// A chart for each thing the vehicle reports, one under the other, with one cursor.
import { element, measure } from "outrider/format";
import { colour } from "outrider/live/basemap";
import { drawGround, drawLimits } from "outrider/vehicle/ground";
import { before, silenceAt } from "outrider/vehicle/moments";
import { ATTRIBUTE, remember, remembered } from "outrider/vehicle/readings";
import { gettext, interpolate } from "outrider/words";

const { uPlot } = globalThis; // Of the script that its pages load before their modules.

const INKS = { speed_kmh: "accent", soc_pct: "moving", battery_temp_c: "warning", power_kw: "charging" };
const OTHERS = ["accent", "charging", "idle", "parked", "moving", "warning"];
const HEIGHT = { least: 112, most: 250, head: 33, gap: 12, phone: 126 };

export class Charts {
  constructor(box, choice, settings, clock, moment, { onZoom, onUnzoom, onWanted }) {
    Object.assign(this, { box, choice, settings, clock, moment, onZoom, onUnzoom, onWanted });
    this.plots = new Map();
    this.shown = new Set(remembered() ?? settings.shown);
    moment.addEventListener("change", () => this.#follow());
    document.addEventListener("theme-changed", () => this.#draw());
    new ResizeObserver(() => this.#resize()).observe(box);
  }

  /** Draw what was loaded; see `_drawn` of the page for its shape. */
  show(data) {
    this.data = data;
    const drawable = data.fields.filter((field) => field.t.length);
    const known = drawable.filter((field) => this.shown.has(field.name));
    // A vehicle that reports none of the usual: show what it does report.
    this.visible = known.length ? known : drawable.slice(0, 4);
    this.#drawChoice();
    this.#draw();
  }

  #drawChoice() {
    const loaded = new Set(this.data.fields.map((field) => field.name));
    const others = this.data.more.filter((field) => !loaded.has(field.name));
    this.choice.replaceChildren(...[...this.data.fields, ...others].map((field) => {
      const on = this.visible.includes(field);
      return element("button", { type: "button", class: "chip", "aria-pressed": String(on), "data-field": field.name, onclick: () => this.#toggle(field) }, field.label);
    }));
  }

  #toggle(field) {
    const names = new Set(this.visible.map((each) => each.name));
    for (const name of this.shown) if (name.startsWith(ATTRIBUTE)) names.add(name);
    if (!names.delete(field.name)) names.add(field.name);
    this.shown = names;
    remember([...names]);
    if (names.has(field.name) && !field.t) this.onWanted();
    else this.show(this.data);
    this.choice.querySelector(`[data-field="${field.name}"]`)?.focus();
  }

  #draw() {
    if (!this.data) return;
    for (const { plot } of this.plots.values()) plot.destroy();
    this.plots.clear();
    this.ink = Object.fromEntries(["rule", "text-faint", "text", "text-soft", "accent", "warning", "critical", "well", "panel"].map((name) => [name, colour(name)]));
    this.box.replaceChildren(...this.visible.map((field, at) => this.#card(field, at)));
    queueMicrotask(() => this.#follow()); // A plot has no cursor before it was drawn.
  }

  #card(field, at) {
    const now = element("output", { class: "chart__now", for: "scrubber" }, "–");
    const { unit } = measure(0, field.unit);
    const head = element("div", { class: "chart__head" }, element("h3", {}, `${field.label}${unit ? ` · ${unit}` : ""}`), now);
    const canvas = element("div", { class: "chart__plot" });
    const card = element("div", { class: "chart card" }, head, canvas);
    const start = this.data.start;
    const times = field.t.map((t) => (start + t) / 1000);
    const values = field.v.map((v) => (v == null ? null : scaled(v, field.unit)));
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
      height: this.#height(),
      padding: [10, 8, 0, 0],
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
        y: { range: (_, low, high) => padded(low, high, field, this.#limitsOf(field)) },
      },
      axes: [
        { ...axis, size: 26, gap: 7, space: 70, values: (_, splits, __, ___, step) => splits.map((s) => (step >= day ? this.clock.day(s * 1000) : step < 60 ? this.clock.second(s * 1000) : this.clock.minute(s * 1000))) },
        { ...axis, size: 44, gap: 5, space: 34 },
      ],
      series: [{}, { stroke, width: 1.6, points: { show: false }, spanGaps: false, paths: field.name === "energy_dc_kwh" ? uPlot.paths.points() : undefined }],
      hooks: {
        drawAxes: [(plot) => drawGround(plot, this.data, this.ink)], // Over the grid, under the line.
        draw: [(plot) => drawLimits(plot, this.#limitsOf(field), this.ink)],
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

  /** Thresholds of the alerts that were raised about it, as the chart scales it. */
  #limitsOf(field) {
    return this.data.limits.filter((limit) => limit.field === field.name).map(({ value }) => scaled(value, field.unit));
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
    const silent = silenceAt(this.data, at);
    for (const { plot, now, field, times, values } of this.plots.values()) {
      const left = plot.valToPos(at / 1000, "x");
      plot.setCursor({ left, top: 0 }, false);
      const place = before(times, at / 1000 + 0.0005);
      now.textContent = place >= 0 && values[place] != null && !silent ? measure(field.v[place], field.unit).text : "–";
      now.title = now.textContent === "–" && silent ? silent.why : "";
    }
    this.following = false;
    this.#why(silent);
  }

  /** In words what the hatching under the cursor is. */
  #why(silent) {
    const card = this.box.firstElementChild;
    if (!card) return;
    this.reason ??= element("p", { class: "charts__why" });
    this.reason.hidden = !silent;
    if (!silent) return;
    this.reason.textContent = interpolate(gettext("Silent: %(why)s"), { why: silent.why });
    if (this.reason.parentElement !== card) card.querySelector("h3").after(this.reason);
  }

  #width() {
    const { paddingLeft, paddingRight } = getComputedStyle(this.box);
    return Math.max(this.box.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight) - 2, 120);
  }

  /** As high as there is room for, so that few charts fill the page and many scroll. */
  #height() {
    if (matchMedia("(max-width: 760px)").matches) return HEIGHT.phone;
    const room = this.box.clientHeight - HEIGHT.gap - this.visible.length * HEIGHT.gap;
    const each = Math.floor(room / Math.max(this.visible.length, 1)) - HEIGHT.head;
    return Math.min(Math.max(each, HEIGHT.least), HEIGHT.most);
  }

  #resize() {
    const width = this.#width();
    for (const { plot } of this.plots.values()) {
      const height = this.#height();
      if (plot.width !== width || plot.height !== height) plot.setSize({ width, height });
    }
    this.#follow();
  }
}

/** A value as it is shown: converted where the organisation counts in miles. */
function scaled(value, unit) {
  if (measure(0, unit).unit === unit) return value;
  if (unit === "km/h" || unit === "km") return value * 0.621371;
  if (unit === "m") return value * 3.28084;
  return (value * 9) / 5 + 32;
}

function padded(least, most, field, limits) {
  if (least == null) return [0, 1];
  if (field.name === "soc_pct") return [0, 100];
  const [low, high] = [Math.min(least, ...limits), Math.max(most, ...limits)];
  const span = high - low || Math.abs(high) || 1;
  const bottom = low >= 0 && low < span ? 0 : low - span * 0.08;
  return [bottom, high + span * 0.08];
}
