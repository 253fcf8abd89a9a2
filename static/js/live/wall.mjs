// On a wall nobody points at anything: the map as large as the screen, the time, how old what is
// seen is, how many of which status, and what is open. Esc leaves it.
import { age, clock, count, day, element, fixed, minute, moment } from "outrider/format";
import { GRAVEST } from "outrider/live/alerts";
import { mark } from "outrider/live/marks";
import { LABELS, STATUSES } from "outrider/live/status";
import { gettext, interpolate, ngettext } from "outrider/words";

const MOST_ALERTS = 30;
const STIRRED_MS = 3000;
/** Readings that old are said to be old. */
const OLD_S = 60;
const SEVERITIES = { critical: gettext("Critical"), high: gettext("High"), medium: gettext("Medium"), low: gettext("Low") };
const BEHIND = ".rail, .bar, .skip";

export class Wall {
  /** `onTurn(on)`: it was entered or left. */
  constructor(box, view, { live, past, link, alerts }, onTurn) {
    this.box = box;
    this.frame = box.parentElement;
    this.view = view;
    this.parts = { live, past, link, alerts };
    this.onTurn = onTurn;
    this.on = false;
    this.#build();
    document.addEventListener("fullscreenchange", () => {
      if (!document.fullscreenElement) this.leave();
    });
    document.addEventListener("visibilitychange", () => this.#stayAwake());
    this.frame.addEventListener("pointermove", () => this.#stir());
    new ResizeObserver(() => this.#fillAlerts()).observe(this.list);
  }

  async enter() {
    this.view.set({ wall: "1" }, true);
    // Refused where nobody has touched the page yet: it then fills the window.
    await this.frame.requestFullscreen?.().catch(() => {});
    if (!this.on && document.fullscreenElement) document.exitFullscreen();
  }

  leave() {
    this.view.set({ wall: "" }, true);
  }

  turn() {
    if (this.on) this.leave();
    else this.enter();
  }

  /** The address says whether it is on; called whenever it may have changed. */
  follow() {
    const on = Boolean(this.view.wall);
    if (on === this.on) return;
    this.on = on;
    this.box.hidden = !on;
    if (!on && document.fullscreenElement) document.exitFullscreen();
    this.frame.classList.toggle("live--wall", on);
    for (const behind of document.querySelectorAll(BEHIND)) behind.inert = on;
    clearInterval(this.ticking);
    if (on) this.ticking = setInterval(() => this.#tick(), 500);
    this.#tick();
    this.#stayAwake();
    this.onTurn(on);
  }

  draw(fleet, chosen) {
    if (!this.on) return;
    this.#drawState(fleet);
    this.#drawCounts(chosen);
    this.#drawAlerts(fleet);
  }

  #build() {
    this.time = element("time", { class: "wall__clock" });
    this.day = element("span", { class: "wall__day" });
    this.fleet = element("b", { class: "wall__fleet" });
    this.state = element("p", { class: "wall__state" }, element("i"), element("span"));
    this.counts = element("ul", { class: "wall__counts", "aria-label": gettext("Vehicles by status") });
    this.title = element("h2", {});
    this.list = element("ol", { class: "wall__list" });
    this.more = element("p", { class: "wall__more" });
    const leave = element("button", { type: "button", class: "button wall__leave", title: "Esc", onclick: () => this.leave() }, gettext("Leave the wall view"));
    this.box.append(
      element("div", { class: "wall__head" }, element("div", { class: "wall__now" }, this.time, this.day), this.counts,
        element("div", { class: "wall__source" }, this.fleet, this.state)),
      element("div", { class: "wall__alerts" }, this.title, this.list, this.more),
      leave,
    );
  }

  #tick() {
    const now = new Date(this.parts.live.clock.now() / 1000);
    this.time.textContent = clock(now);
    this.time.dateTime = now.toISOString();
    this.day.textContent = day(now);
  }

  #drawState(fleet) {
    const { live, past, link } = this.parts;
    const asOf = live.asOf();
    const seconds = asOf ? (live.clock.now() - asOf) / 1e6 : null;
    const lag = live.lag();
    let [state, text] = ["connecting", gettext("Connecting")];
    if (past.on) [state, text] = ["past", interpolate(gettext("Not live: as of %(time)s"), { time: minute(new Date(fleet.clock.now() / 1000)) })];
    else if (link.lost) [state, text] = ["lost", interpolate(gettext("Connection lost. Data as of %(time)s"), { time: asOf ? moment(asOf) : "–" })];
    else if (link.state === "live" && seconds == null) [state, text] = ["live", gettext("No readings yet")];
    else if (link.state === "live") {
      state = seconds > OLD_S ? "old" : "live";
      text = interpolate(gettext("Newest reading %(age)s old"), { age: age(seconds) });
      if (lag != null && state === "live") text += ` · ${interpolate(gettext("%(lag)s s to the screen"), { lag: fixed(lag, lag < 10 ? 1 : 0) })}`;
    }
    this.state.dataset.state = state;
    // Read out where it matters, not once a second.
    this.state.setAttribute("aria-live", state === "lost" ? "assertive" : "off");
    if (this.state.lastElementChild.textContent !== text) this.state.lastElementChild.textContent = text;
    this.fleet.textContent = [...fleet.fleets.values()].find(({ id }) => id === this.view.fleet)?.name ?? this.box.dataset.organisation;
  }

  #drawCounts({ counts, total }) {
    const shown = [["", this.view.kind === "meter" ? gettext("Meters") : gettext("Vehicles"), total], ...STATUSES.map((status) => [status, LABELS[status], counts[status] ?? 0])];
    if (!this.counts.childElementCount) {
      this.counts.append(...shown.map(([status]) =>
        element("li", { "data-status": status }, element("b"), element("span", {}, status && mark(status), element("em")))));
    }
    shown.forEach(([, label, n], i) => {
      const { firstElementChild: figure, lastElementChild: name } = this.counts.children[i];
      this.counts.children[i].classList.toggle("is-none", !n);
      if (figure.textContent !== count(n)) figure.textContent = count(n);
      if (name.lastElementChild.textContent !== label) name.lastElementChild.textContent = label;
    });
  }

  #drawAlerts(fleet) {
    const open = this.#open(fleet);
    const minutes = Math.floor(this.parts.live.clock.now() / 60e6);
    const about = JSON.stringify([minutes, open.length, this.parts.alerts.loaded, open.slice(0, MOST_ALERTS).map(({ id, state }) => [id, state])]);
    if (about === this.about) return;
    this.about = about;
    this.open = open;
    const known = this.parts.alerts.loaded;
    this.title.replaceChildren(element("b", {}, known ? count(open.length) : "–"), ` ${ngettext("open alert", "open alerts", open.length)}`);
    this.#fillAlerts();
  }

  /** Of what is looked at; nobody's yet before somebody's already, the gravest first. */
  #open(fleet) {
    const { fleet: only } = this.view;
    const found = [];
    for (const [key, alerts] of this.parts.alerts.bySubject) {
      const thing = fleet.things.get(key);
      if (only && thing?.fleet?.id !== only) continue;
      for (const alert of alerts) found.push({ ...alert, name: thing?.name ?? alert.subject });
    }
    return found.sort((a, b) => (a.state === "acknowledged") - (b.state === "acknowledged")
      || GRAVEST.indexOf(a.severity) - GRAVEST.indexOf(b.severity) || Date.parse(b.started_at) - Date.parse(a.started_at));
  }

  // As many as there is room for: nobody scrolls a wall.
  #fillAlerts() {
    const { open, list } = this;
    if (!this.on || !open) return;
    list.replaceChildren(...open.slice(0, MOST_ALERTS).map((alert) => this.#alert(alert)));
    while (list.childElementCount > 1 && list.scrollHeight > list.clientHeight) list.lastElementChild.remove();
    const left = open.length - list.childElementCount;
    this.more.textContent = open.length || !this.parts.alerts.loaded ? "" : gettext("Nothing is open. What a rule finds shows here at once.");
    if (left) this.more.textContent = interpolate(ngettext("and %(n)s more", "and %(n)s more", left), { n: count(left) });
  }

  #alert({ name, title, severity, state, started_at }) {
    const seconds = this.parts.live.clock.now() / 1e6 - Date.parse(started_at) / 1000;
    const said = [SEVERITIES[severity], age(seconds), state === "acknowledged" && gettext("acknowledged")];
    return element("li", { "data-severity": severity, "data-state": state },
      element("b", {}, name), element("span", {}, title), element("em", {}, said.filter(Boolean).join(" · ")));
  }

  // The way out shows to whoever reaches for a pointer.
  #stir() {
    if (!this.on) return;
    this.frame.classList.add("live--stirred");
    clearTimeout(this.stirring);
    this.stirring = setTimeout(() => this.frame.classList.remove("live--stirred"), STIRRED_MS);
  }

  // A wall does not go dark, where the browser can see to it.
  async #stayAwake() {
    if (!this.on) {
      this.awake?.release();
      this.awake = null;
    } else if (!document.hidden && (!this.awake || this.awake.released)) {
      this.awake = await navigator.wakeLock?.request("screen").catch(() => null);
    }
  }
}
