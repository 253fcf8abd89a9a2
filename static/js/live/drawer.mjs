// What is known of the selected vehicle or meter, each value with its unit and its own age.
import { age, element, measure, moment, worded } from "outrider/format";
import { timeOf } from "outrider/live/merge";
import { mark } from "outrider/live/marks";
import { EXPLAINED, LABELS } from "outrider/live/status";

const TILES = {
  vehicle: ["speed_kmh", "soc_pct", "battery_temp_c", "power", "fuel_pct", "range_km"],
  meter: ["power_kw", "energy_ac_kwh", "voltage_v", "current_a"],
};
const MOST_TILES = 4;
const OLD_S = 120;
const SPARK_COLOURS = { soc_pct: "--moving", battery_temp_c: "--warning", voltage_v: "--charging" };
const CLOSE = '<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true"><path d="M18 6 6 18M6 6l12 12"/></svg>';
const KINDS = { car: "Car", van: "Van", truck: "Truck", bus: "Bus", other: "" };

export class Drawer {
  constructor(box, fleet, fields, { onClose, onFollow }) {
    this.box = box;
    this.fleet = fleet;
    this.fields = fields;
    this.onClose = onClose;
    this.onFollow = onFollow;
  }

  show(thing, following) {
    this.box.hidden = !thing;
    if (!thing) {
      this.key = null;
      return;
    }
    if (this.key !== thing.key) this.#build(thing);
    this.follow?.setAttribute("aria-pressed", following);
    this.#draw(thing);
  }

  #build(thing) {
    this.key = thing.key;
    this.mark = element("span");
    this.tag = element("span");
    this.meta = element("div", { class: "drawer__meta" });
    this.notes = element("div", { class: "drawer__notes" });
    this.tiles = element("div", { class: "tiles" });
    this.facts = element("div", { class: "sections" });
    this.body = element("div", { class: "drawer__body" }, this.notes, this.tiles, this.facts);
    const close = element("button", { type: "button", class: "drawer__close", "aria-label": "Close", onclick: this.onClose });
    close.innerHTML = CLOSE;
    this.title = element("h2", { tabindex: "-1" }, thing.name);
    const head = element("div", { class: "drawer__head" }, element("div", { class: "drawer__title" }, this.title, this.tag, close), this.meta);
    this.box.replaceChildren(head, this.body);
    this.said = "";
    if (thing.kind === "vehicle") {
      this.follow = element("button", { type: "button", class: "button", title: "f", onclick: this.onFollow }, "Follow on the map");
      const api = element("a", { class: "button", href: `/v1/telemetry/${encodeURIComponent(thing.id)}/latest`, target: "_blank", rel: "noopener" }, "As JSON");
      this.box.append(element("div", { class: "drawer__foot" }, this.follow, api));
    } else {
      this.follow = null;
    }
  }

  #draw(thing) {
    const now = this.fleet.clock.now();
    this.title.textContent = thing.name;
    this.tag.className = `tag is-${thing.status}`;
    this.tag.textContent = LABELS[thing.status];
    this.tag.title = EXPLAINED[thing.status];
    const heard = thing.state ? `${age((now - thing.state.time_us) / 1e6)} ago` : "never heard";
    const meta = [thing.fleet?.name, thing.plate, KINDS[thing.type], thing.id, heard].filter(Boolean);
    this.meta.replaceChildren(...meta.map((text) => element("span", {}, text)));
    this.#drawNotes(thing);
    this.#drawTiles(thing, now);
    this.#drawFacts(thing, now);
  }

  #drawNotes(thing) {
    const notes = (thing.attention ?? []).map(({ level, text, detail }) =>
      element("div", { class: `note${level > 1 ? " note--critical" : ""}` }, element("b", {}, text), detail));
    if (thing.status === "offline") {
      const said = moment(Math.min(thing.state.time_us, thing.state.received_us));
      notes.push(element("div", { class: "note note--plain" }, element("b", {}, `As of ${said}`), "The values below are what it last said, not the present."));
    }
    if (thing.status === "no_data") {
      notes.push(element("div", { class: "note note--plain" }, element("b", {}, "Nothing has come yet"), "Connect its device; the first reading shows here within a second."));
    }
    this.notes.hidden = !notes.length;
    this.notes.replaceChildren(...notes);
  }

  #drawTiles(thing, now) {
    const { state } = thing;
    const tiles = [];
    for (const name of TILES[thing.kind]) {
      if (tiles.length === MOST_TILES || !state) break;
      const tile = name === "power" ? this.#power(state) : this.#value(state, name);
      if (tile) tiles.push(this.#tile(thing, name, tile, now));
    }
    this.tiles.hidden = !tiles.length;
    this.tiles.replaceChildren(...tiles);
    this.tiled = tiles.length;
  }

  #value(state, name) {
    const value = state.values[name];
    if (typeof value !== "number") return null;
    return { label: this.fields[name].label, value, unit: this.fields[name].unit, time: timeOf(state, name) };
  }

  // Power is not reported; it is the product of two values that are, as old as the older.
  #power(state) {
    const { battery_voltage_v: volts, battery_current_a: amperes } = state.values;
    if (volts == null || amperes == null) return null;
    const time = Math.min(timeOf(state, "battery_voltage_v"), timeOf(state, "battery_current_a"));
    return { label: "Battery power", value: (volts * amperes) / 1000, unit: "kW", time, title: "Voltage times current" };
  }

  #tile(thing, name, { label, value, unit, time, title }, now) {
    const seconds = (now - time) / 1e6;
    const shown = measure(value, unit);
    const low = name === "soc_pct" && value < this.fleet.rule.low_soc_pct;
    const old = seconds > Math.max(OLD_S, thing.silentAfterS);
    const tile = element("div", { class: `tile${low ? " tile--low" : ""}${old ? " tile--old" : ""}`, title });
    tile.append(
      element("div", { class: "tile__label" }, element("span", {}, label), element("span", {}, age(seconds))),
      element("div", { class: "tile__figure" }, shown.text, element("small", {}, shown.unit)),
    );
    const points = thing.history[name];
    if (points?.length > 2) tile.append(spark(points, SPARK_COLOURS[name] ?? "--accent"));
    return tile;
  }

  #drawFacts(thing, now) {
    const { state } = thing;
    if (!state) {
      this.facts.replaceChildren();
      return;
    }
    const sections = [];
    const begin = (title) => sections.push([title && element("h3", {}, title), element("dl", { class: "facts" })]);
    const row = (label, text, time, title) =>
      sections.at(-1)[1].append(element("dt", { title }, label), element("dd", {}, text), element("dd", {}, time == null ? "" : age((now - time) / 1e6)));
    begin();
    const tiled = TILES[thing.kind];
    const skipped = new Set(["lat", "lon", "attributes", "alarms", "invalid", ...(this.tiled ? tiled.slice(0, 4) : [])]);
    const { lat, lon } = state.values;
    if (lat != null && lon != null) row("Position", `${lat.toFixed(5)}, ${lon.toFixed(5)}`, timeOf(state, "lat"));
    for (const [name, value] of Object.entries(state.values)) {
      if (skipped.has(name) || value === null) continue;
      row(this.fields[name]?.label ?? name, worded(value, this.fields[name]), timeOf(state, name));
    }
    const attributes = Object.entries(state.values.attributes ?? {});
    if (attributes.length) begin("As the device names it");
    for (const [name, value] of attributes) if (value !== null) row(name, String(value), timeOf(state, `attributes.${name}`));
    begin("Reading");
    row("Device's clock", moment(state.time_us));
    row("Received", moment(state.received_us), null, "By the server's clock");
    row("On the way", lagText((state.received_us - state.time_us) / 1e6));
    this.facts.replaceChildren(...sections.flat().filter((part) => part && (part.tagName !== "DL" || part.childElementCount)));
  }
}

function lagText(seconds) {
  if (seconds < -0.05) return `device's clock is ${(-seconds).toFixed(1)} s ahead`;
  return seconds < 60 ? `${Math.max(0, seconds).toFixed(2)} s` : age(seconds);
}

/** A small line of what was seen since the page was opened; gaps stay gaps. */
function spark(points, colourName) {
  const [width, height] = [150, 24];
  const first = points[0][0];
  const span = points.at(-1)[0] - first || 1;
  let low = Math.min(...points.map((p) => p[1]));
  let high = Math.max(...points.map((p) => p[1]));
  // A value that hardly moves is a flat line, not noise blown up to the height of the tile.
  const least = Math.max(Math.abs(high) * 0.04, 0.5);
  if (high - low < least) [low, high] = [(low + high - least) / 2, (low + high + least) / 2];
  let path = "";
  points.forEach(([time, value], i) => {
    const x = ((time - first) / span) * width;
    const y = height - 2 - ((value - low) / (high - low)) * (height - 4);
    path += `${i && time - points[i - 1][0] < 120e6 ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = `<path d="${path}" fill="none" stroke="var(${colourName})" stroke-width="1.600" stroke-linejoin="round" vector-effect="non-scaling-stroke"/>`;
  return svg;
}
