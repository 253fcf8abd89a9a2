// The list beside the map: only the rows in sight exist, however many things there are. All
// are of one height, so which are in sight is a division.
import { age, element, measure } from "outrider/format";
import { mark } from "outrider/live/marks";
import { EXPLAINED, LABELS } from "outrider/live/status";
import { gettext, interpolate, ngettext } from "outrider/words";

const narrow = matchMedia("(max-width: 760px)");
const rowHeight = () => (narrow.matches ? 62 : 58); // As in live.css.
const BEYOND = 6;
// Of those that move the speed says more.
const TIMED = new Set(["idle", "parked", "charging"]);

export class List {
  constructor(box, fleet, { onSelect }) {
    this.box = box;
    this.fleet = fleet;
    this.things = [];
    this.rows = new Map();
    this.all = element("div", { class: "rows__all", role: "presentation" });
    box.append(this.all);
    box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(box);
    box.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) onSelect(row.dataset.key);
    });
    // Rows do not change places under a pointer that is about to click one.
    box.addEventListener("pointerenter", (event) => (this.held = event.pointerType === "mouse"));
    box.addEventListener("pointerleave", () => (this.held = false));
  }

  /** Show these things in this order. */
  show(things, selected) {
    this.things = things;
    this.selected = selected;
    this.draw();
  }

  /** Things whose rows exist. */
  inSight() {
    return [...this.rows.keys()].map((key) => this.fleet.things.get(key)).filter(Boolean);
  }

  boxOf(key) {
    return this.rows.get(key)?.box;
  }

  reveal(key) {
    const index = this.things.findIndex((thing) => thing.key === key);
    if (index < 0) return;
    const top = index * rowHeight();
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + rowHeight() > scrollTop + clientHeight) this.box.scrollTop = top + rowHeight() - clientHeight;
  }

  /** The key of the row so many rows on from this one. */
  neighbour(from, step) {
    if (!this.things.length) return null;
    const index = this.things.findIndex((thing) => thing.key === from);
    const next = index < 0 ? (step > 0 ? 0 : this.things.length - 1) : index + step;
    return this.things[Math.max(0, Math.min(this.things.length - 1, next))].key;
  }

  /** One row alone: who is looked at does not wait for the others. */
  drawRow(key) {
    const [row, thing] = [this.rows.get(key), this.fleet.things.get(key)];
    if (row && thing) row.draw(thing, this.fleet.clock.now(), row.place);
  }

  draw() {
    this.drawnAt = performance.now();
    const height = rowHeight();
    this.all.style.height = `${this.things.length * height}px`;
    const { scrollTop, clientHeight } = this.box;
    const first = Math.max(0, Math.floor(scrollTop / height) - BEYOND);
    const last = Math.min(this.things.length, Math.ceil((scrollTop + clientHeight) / height) + BEYOND);
    const now = this.fleet.clock.now();
    const inSight = new Set();
    for (let index = first; index < last; index++) {
      const thing = this.things[index];
      inSight.add(thing.key);
      let row = this.rows.get(thing.key);
      if (!row) {
        row = new Row(thing);
        this.rows.set(thing.key, row);
        this.all.append(row.box);
      }
      row.draw(thing, now, { index, top: index * height, count: this.things.length, selected: thing.key === this.selected });
    }
    for (const [key, row] of this.rows) {
      if (inSight.has(key)) continue;
      row.box.remove();
      this.rows.delete(key);
    }
    this.box.setAttribute("aria-activedescendant", this.rows.has(this.selected) ? this.rows.get(this.selected).box.id : "");
  }
}

class Row {
  constructor(thing) {
    this.name = element("span");
    this.tags = element("span");
    this.value = element("div", { class: "row__value" });
    this.what = element("div", { class: "row__what" });
    this.age = element("div", { class: "row__age" });
    this.mark = element("span");
    this.title = element("div", { class: "row__name" }, this.name, this.tags);
    this.box = element("div", { class: "row", role: "option", id: `row-${thing.key.replace(/\W/g, "-")}`, "data-key": thing.key });
    this.box.append(this.mark, this.title, this.value, this.what, this.age);
    this.said = {};
  }

  draw(thing, now, place) {
    this.place = place;
    const { box, said } = this;
    const set = (name, value, write) => {
      if (said[name] === value) return;
      said[name] = value;
      write(value);
    };
    set("place", `translateY(${place.top}px)`, (v) => (box.style.transform = v));
    set("index", `${place.index + 1}/${place.count}`, () => {
      box.setAttribute("aria-posinset", place.index + 1);
      box.setAttribute("aria-setsize", place.count);
    });
    set("selected", place.selected, (v) => box.setAttribute("aria-selected", v));
    set("status", thing.status, (status) => {
      const drawn = mark(status);
      drawn.title = `${LABELS[status]}: ${EXPLAINED[status]}`;
      this.mark.replaceWith(drawn);
      this.mark = drawn;
      box.classList.toggle("row--old", status === "offline" || status === "no_data");
    });
    set("name", thing.name, (v) => (this.name.textContent = v));
    const first = thing.attention?.[0];
    const open = thing.alerts ? interpolate(ngettext("%(n)s alert", "%(n)s alerts", thing.alerts), { n: thing.alerts }) : "";
    set("tag", first ? `${first.level}${first.text}` : open, () => {
      this.tags.textContent = first?.text ?? open;
      this.tags.className = first || open ? `tag tag--${first?.level > 1 ? "critical" : "warning"}` : "";
    });
    set("what", whatOf(thing, now), (v) => (this.what.textContent = v));
    set("age", thing.state ? age((now - thing.state.time_us) / 1e6) : "", (v) => (this.age.textContent = v));
    this.#drawValue(thing, set);
  }

  #drawValue(thing, set) {
    const values = thing.state?.values ?? {};
    const level = values.soc_pct ?? values.fuel_pct;
    const power = values.power_kw;
    const text = thing.kind === "meter" ? (power == null ? "" : measure(power, "kW").text) : level == null ? "" : `${Math.round(level)}%`;
    set("value", text, () => {
      this.value.replaceChildren();
      if (!text) return;
      if (thing.kind === "meter") this.value.append(text, element("small", {}, " kW"));
      else this.value.append(battery(level), text);
    });
  }
}

export function battery(percent) {
  const shade = percent < 15 ? " battery--low" : percent < 40 ? " battery--mid" : "";
  const fill = element("i");
  fill.style.width = `${percent}%`;
  return element("span", { class: `battery${shade}` }, fill);
}

function whatOf(thing, now) {
  const values = thing.state?.values ?? {};
  const parts = [];
  if (thing.status === "no_data") parts.push(gettext("Has not sent anything yet"));
  else if (thing.status === "offline") parts.push(interpolate(gettext("Silent for %(age)s"), { age: age((now - Math.min(thing.state.time_us, thing.state.received_us)) / 1e6) }));
  else if (thing.kind === "meter") {
    if (values.voltage_v != null) parts.push(`${measure(values.voltage_v, "V").text} V`);
    if (values.current_a != null) parts.push(`${measure(values.current_a, "A").text} A`);
  } else if (thing.status === "moving") {
    const { text, unit } = measure(values.speed_kmh, "km/h");
    parts.push(`${text} ${unit}`);
  } else if (thing.status === "charging") parts.push(chargingText(values));
  else parts.push(LABELS[thing.status]);
  if (parts.length && thing.since != null && TIMED.has(thing.status)) {
    const text = age((now - thing.since) / 1e6);
    parts[0] += ` ${thing.sinceAtLeast ? `> ${text}` : text}`;
  }
  if (values.driver) parts.push(values.driver);
  parts.push(thing.fleet?.name);
  return parts.filter(Boolean).join(" · ");
}

function chargingText(values) {
  const power = (values.battery_voltage_v * values.battery_current_a) / 1000;
  if (!Number.isFinite(power) || !power) return gettext("Charging");
  return interpolate(gettext("Charging %(power)s kW"), { power: measure(Math.abs(power), "kW").text });
}
