// What is known of the selected vehicle or meter, each value with its unit and its own age.
import { age, element, fixed, measure, moment, utc, worded } from "outrider/format";
import { timeOf } from "outrider/live/merge";
import { spark } from "outrider/live/spark";
import { EXPLAINED, LABELS } from "outrider/live/status";
import { gettext, interpolate } from "outrider/words";

const TILES = {
  vehicle: ["speed_kmh", "soc_pct", "battery_temp_c", "power", "fuel_pct", "range_km"],
  meter: ["power_kw", "energy_ac_kwh", "voltage_v", "current_a"],
};
const MOST_TILES = 4;
const OLD_S = 120;
const SPARK_COLOURS = { soc_pct: "--moving", battery_temp_c: "--warning", voltage_v: "--charging" };
const CLOSE = '<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true"><path d="M18 6 6 18M6 6l12 12"/></svg>';
const KINDS = { car: gettext("Car"), van: gettext("Van"), truck: gettext("Truck"), bus: gettext("Bus"), other: "" };
const SEVERE = new Set(["critical", "high"]);

export class Drawer {
  constructor(box, { fields }, { lately, alerts }, { onClose, onFollow, onAcknowledge }) {
    this.box = box;
    this.fields = fields;
    this.lately = lately;
    this.alerts = alerts;
    this.onClose = onClose;
    this.onFollow = onFollow;
    this.onAcknowledge = onAcknowledge;
    this.drawnAt = 0;
  }

  show(thing, following) {
    this.box.hidden = !thing;
    if (!thing) {
      this.key = null;
      return;
    }
    this.drawnAt = performance.now();
    if (this.key !== thing.key) this.#build(thing);
    this.follow?.setAttribute("aria-pressed", following);
    this.#draw(thing);
  }

  #build(thing) {
    this.key = thing.key;
    this.noted = null;
    this.tag = element("span");
    this.meta = element("div", { class: "drawer__meta" });
    this.notes = element("div", { class: "drawer__notes" });
    this.tiles = element("div", { class: "tiles" });
    this.facts = element("div", { class: "sections" });
    this.today = element("dl", { class: "today", hidden: true });
    this.body = element("div", { class: "drawer__body", tabindex: "0", role: "region", "aria-label": gettext("Values") }, this.notes, this.tiles, this.today, this.facts);
    const close = element("button", { type: "button", class: "drawer__close", "aria-label": gettext("Close"), onclick: this.onClose });
    close.innerHTML = CLOSE;
    this.title = element("h2", { tabindex: "-1" }, thing.name);
    const head = element("div", { class: "drawer__head" }, element("div", { class: "drawer__title" }, this.title, this.tag, close), this.meta);
    this.box.replaceChildren(head, this.body);
    const page = element("a", { class: "button", href: `/${thing.kind}s/${encodeURIComponent(thing.id)}/` }, gettext("Open its page"));
    this.follow = null;
    if (thing.kind === "vehicle") {
      this.follow = element("button", { type: "button", class: "button", title: "f", onclick: this.onFollow }, gettext("Follow on the map"));
    }
    this.box.append(element("div", { class: "drawer__foot" }, ...[this.follow, page].filter(Boolean)));
  }

  #draw(thing) {
    const now = this.fleet.clock.now();
    this.title.textContent = thing.name;
    this.tag.className = `tag is-${thing.status}`;
    this.tag.textContent = LABELS[thing.status];
    this.tag.title = EXPLAINED[thing.status];
    const heard = thing.state ? interpolate(gettext("%(age)s ago"), { age: age((now - thing.state.time_us) / 1e6) }) : gettext("never heard");
    if (thing.since != null && thing.status !== "offline") {
      const held = age((now - thing.since) / 1e6);
      this.tag.textContent += ` ${thing.sinceAtLeast ? "> " : ""}${held}`;
    }
    const meta = [thing.fleet?.name, thing.plate, KINDS[thing.type], thing.id, heard].filter(Boolean);
    this.meta.replaceChildren(...meta.map((text) => element("span", {}, text)));
    this.#drawNotes(thing);
    this.#drawTiles(thing, now);
    this.#drawToday(thing);
    this.#drawFacts(thing, now);
  }

  #drawToday(thing) {
    const { today } = this.lately;
    this.today.hidden = this.lately.key !== thing.key || !today;
    if (this.today.hidden) return;
    const { text, unit } = measure(today.distance_km, "km");
    const facts = [[gettext("Driven today"), `${text} ${unit}`]];
    if (today.spent_kwh != null) facts.push([today.estimated ? gettext("Spent, estimated") : gettext("Spent"), `${measure(today.spent_kwh, "kWh").text} kWh`]);
    if (today.charged_kwh != null) facts.push([gettext("Charged"), `${measure(today.charged_kwh, "kWh").text} kWh`]);
    facts.push([gettext("Under way"), age(today.moving_s)]);
    this.today.replaceChildren(...facts.map(([label, value]) => element("div", {}, element("dt", {}, label), element("dd", {}, value))));
  }

  #drawAlerts(thing) {
    return this.alerts.of(thing).map((alert) => {
      const note = element("div", { class: `note note--alert${SEVERE.has(alert.severity) ? " note--critical" : ""}` },
        element("b", {}, element("a", { href: `/alerts/${alert.id}` }, alert.title)),
        element("span", {}, interpolate(alert.state === "open" ? gettext("Open since %(time)s") : gettext("Acknowledged, open since %(time)s"), { time: moment(Date.parse(alert.started_at) * 1000) })));
      if (alert.state === "open" && this.alerts.mayAct) note.append(element("button", { type: "button", class: "button button--main", title: "a", onclick: this.onAcknowledge }, gettext("Acknowledge")));
      return note;
    });
  }

  #drawNotes(thing) {
    // Rebuilt only when they say something else: a button must not go from under a pointer.
    const about = JSON.stringify([thing.key, thing.attention, thing.status, this.alerts.of(thing).map(({ id, state }) => [id, state])]);
    if (this.noted === about) return;
    this.noted = about;
    const notes = this.#drawAlerts(thing);
    notes.push(...(thing.attention ?? []).map(({ level, text, detail }) =>
      element("div", { class: `note${level > 1 ? " note--critical" : ""}` }, element("b", {}, text), detail)));
    if (thing.status === "offline") {
      const said = moment(Math.min(thing.state.time_us, thing.state.received_us));
      notes.push(element("div", { class: "note note--plain" }, element("b", {}, interpolate(gettext("As of %(time)s"), { time: said })), gettext("The values below are what it last said, not the present.")));
    }
    if (thing.status === "no_data") {
      notes.push(element("div", { class: "note note--plain" }, element("b", {}, gettext("Nothing has come yet")), gettext("Connect its device; the first reading shows here within a second.")));
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
    return { label: gettext("Battery power"), value: (volts * amperes) / 1000, unit: "kW", time, title: gettext("Voltage times current") };
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
    const points = this.lately.key === thing.key ? this.lately.sparks[name === "power" ? "power_kw" : name] : null;
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
      sections.at(-1)[1].append(element("dt", { title }, label), element("dd", { title }, text), element("dd", {}, time == null ? "" : age((now - time) / 1e6)));
    begin();
    const tiled = TILES[thing.kind];
    const skipped = new Set(["lat", "lon", "attributes", "alarms", "invalid", ...(this.tiled ? tiled.slice(0, 4) : [])]);
    const { lat, lon } = state.values;
    if (lat != null && lon != null) row(gettext("Position"), `${lat.toFixed(5)}, ${lon.toFixed(5)}`, timeOf(state, "lat"));
    for (const [name, value] of Object.entries(state.values)) {
      if (skipped.has(name) || value === null) continue;
      row(this.fields[name]?.label ?? name, worded(value, this.fields[name]), timeOf(state, name));
    }
    const attributes = Object.entries(state.values.attributes ?? {});
    if (attributes.length) begin(gettext("As the device names it"));
    for (const [name, value] of attributes) if (value !== null) row(name, String(value), timeOf(state, `attributes.${name}`));
    begin(gettext("Reading"));
    row(gettext("Device's clock"), moment(state.time_us), null, utc(state.time_us));
    row(gettext("Received"), moment(state.received_us), null, interpolate(gettext("%(time)s by the server's clock"), { time: utc(state.received_us) }));
    row(gettext("On the way"), lagText((state.received_us - state.time_us) / 1e6));
    this.facts.replaceChildren(...sections.flat().filter((part) => part && (part.tagName !== "DL" || part.childElementCount)));
  }
}

function lagText(seconds) {
  if (seconds < -0.05) return interpolate(gettext("device's clock is %(seconds)s s ahead"), { seconds: fixed(-seconds, 1) });
  return seconds < 60 ? interpolate(gettext("%(s)s s"), { s: fixed(Math.max(0, seconds), 2) }) : age(seconds);
}
