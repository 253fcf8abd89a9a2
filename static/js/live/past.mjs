// The whole fleet at a past moment: a bar with a scrubber over the day before, a link to it,
// and no way to take it for the present.
import { element, fromTheWall, minute, onTheWall } from "outrider/format";
import { Fleet } from "outrider/live/fleet";
import { gettext } from "outrider/words";

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
const REST_MS = 180;

export class Past extends EventTarget {
  constructor(bar, address, view, live) {
    super();
    this.bar = bar;
    this.address = address;
    this.view = view;
    this.live = live;
    this.fleet = null;
    this.label = element("b", {});
    this.range = element("input", { type: "range", min: -DAY_MINUTES, max: 0, step: 1, "aria-label": gettext("Time") });
    this.field = element("input", { type: "datetime-local", "aria-label": gettext("Day and time") });
    this.note = element("span", { role: "status" });
    this.back = element("button", { type: "button", class: "button button--main", title: "l" }, gettext("Back to live"));
    bar.replaceChildren(element("div", { class: "past__head" }, this.label, this.note, this.field, this.back), this.range);
    this.back.addEventListener("click", () => this.leave());
    this.range.addEventListener("input", () => this.#wish(new Date(this.until - -this.range.value * MINUTE_MS)));
    this.field.addEventListener("change", () => {
      const wished = fromTheWall(this.field.value);
      if (Number.isNaN(+wished)) return;
      this.until = Math.min(Date.now(), +wished + (DAY_MINUTES / 2) * MINUTE_MS);
      this.#wish(new Date(Math.min(+wished, Date.now())));
    });
  }

  get on() {
    return Boolean(this.view.moment);
  }

  /** Begin ten minutes ago. */
  enter() {
    if (!this.on) this.#wish(new Date(Date.now() - 10 * MINUTE_MS));
  }

  leave() {
    this.view.set({ moment: "" }, true);
  }

  /** The address says which moment; called whenever it may have changed. */
  follow() {
    this.bar.hidden = !this.on;
    if (!this.on) {
      this.loaded = null;
      if (this.fleet) {
        this.fleet = null;
        this.dispatchEvent(new Event("change"));
      }
      return;
    }
    const at = new Date(this.view.moment);
    if (Number.isNaN(+at)) {
      this.leave();
      return;
    }
    this.until ??= Math.min(Date.now(), +at + (DAY_MINUTES / 2) * MINUTE_MS);
    if (at > this.until || at < this.until - DAY_MINUTES * MINUTE_MS) this.until = Math.min(Date.now(), +at + (DAY_MINUTES / 2) * MINUTE_MS);
    this.range.value = Math.round((at - this.until) / MINUTE_MS);
    this.range.setAttribute("aria-valuetext", minute(at));
    if (document.activeElement !== this.field) this.field.value = onTheWall(at);
    this.label.textContent = minute(at);
    // Again where more vehicles have become known: a snapshot comes in parts.
    const wanted = `${this.view.moment}/${this.live.things.size}`;
    if (this.loaded === wanted || this.live.things.size === 0) return;
    this.loaded = wanted;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.#load(this.view.moment), REST_MS);
  }

  #wish(date) {
    this.view.set({ moment: `${date.toISOString().slice(0, 16)}Z` });
  }

  async #load(moment) {
    this.note.textContent = gettext("Loading…");
    const answer = await fetch(`${this.address}?at=${moment}`).catch(() => null);
    if (moment !== this.view.moment) return;
    if (!answer?.ok) {
      this.note.textContent = gettext("The past could not be loaded.");
      this.loaded = null;
      return;
    }
    const { at_us, vehicles } = await answer.json();
    this.fleet = fleetAt(this.live, at_us, vehicles);
    this.note.textContent = gettext("Not live");
    this.dispatchEvent(new Event("change"));
  }
}

/** A fleet of the same vehicles with the state they had then; its clock stands still. */
function fleetAt(live, atUs, columns) {
  const past = new Fleet();
  past.clock = { now: () => atUs, hear: () => {} };
  past.rule = live.rule;
  past.fleets = live.fleets;
  past.complete = live.complete;
  const { id: ids, time, ...fields } = columns;
  const names = Object.keys(fields);
  const states = new Map(ids.map((id, i) => {
    const values = {};
    for (const name of names) if (fields[name][i] != null) values[name] = fields[name][i];
    return [id, { id, time_us: time[i] * 1000, received_us: time[i] * 1000, reading_id: 0, values, older: {} }];
  }));
  for (const thing of live.things.values()) if (thing.kind === "vehicle") past.copy(thing, states.get(thing.id) ?? null);
  return past;
}
