// What the list can be narrowed by: counts by status as buttons, order and fleet as selects,
// and what to say where nothing is left.
import { count, element } from "outrider/format";
import { SORTS } from "outrider/live/choose";
import { mark } from "outrider/live/marks";
import { EXPLAINED, LABELS, STATUSES } from "outrider/live/status";
import { gettext, interpolate } from "outrider/words";

const $ = (id) => document.getElementById(id);
const OTHERS = { attention: gettext("Needs attention"), alerts: gettext("Open alerts") };

export class Facets {
  constructor(view, steps) {
    this.view = view;
    this.steps = steps;
    $("sort").addEventListener("change", (event) => view.set({ sort: event.target.value }));
    $("fleet").addEventListener("change", (event) => view.set({ fleet: event.target.value }));
    $("chips").addEventListener("click", (event) => {
      const { status } = event.target.closest(".chip")?.dataset ?? {};
      if (status != null) view.set({ status: view.status === status ? "" : status });
    });
  }

  draw(fleet, chosen, loaded) {
    // Before a fleet is here as a whole, what has come would be no count.
    this.count = (n) => (loaded ? count(n) : "–");
    this.#chips(chosen);
    let [vehicles, meters] = [0, 0];
    for (const { kind } of fleet.things.values()) kind === "vehicle" ? vehicles++ : meters++;
    $("tab-vehicles").querySelector("b").textContent = this.count(vehicles);
    $("tab-meters").querySelector("b").textContent = this.count(meters);
    this.#fill($("sort"), Object.entries(SORTS[this.view.kind]), this.view.sort);
    const fleets = [...fleet.fleets.values()].map(({ id, name }) => [id, name]);
    this.#fill($("fleet"), [["", gettext("all")], ...fleets], this.view.fleet);
    this.#empty(this.view.kind === "vehicle" ? vehicles : meters, chosen, loaded);
  }

  #chips({ counts, total, attention, alerts }) {
    const { view } = this;
    const chips = [["", gettext("All"), total]];
    if (alerts) chips.push(["alerts", OTHERS.alerts, alerts]);
    if (attention) chips.push(["attention", OTHERS.attention, attention]);
    for (const status of STATUSES) if (counts[status]) chips.push([status, LABELS[status], counts[status]]);
    if (view.status && !chips.some(([status]) => status === view.status)) {
      chips.push([view.status, LABELS[view.status] ?? OTHERS[view.status] ?? view.status, 0]);
    }
    const names = chips.map(([status]) => status).join();
    if (names !== this.names) {
      this.names = names;
      const focused = document.activeElement?.dataset?.status;
      $("chips").replaceChildren(...chips.map(([status, label]) =>
        element("button", { type: "button", class: "chip", "data-status": status, title: EXPLAINED[status] },
          LABELS[status] && mark(status), label, element("b"))));
      if (focused != null) $("chips").querySelector(`[data-status="${focused}"]`)?.focus();
    }
    chips.forEach(([status, , n], i) => {
      const chip = $("chips").children[i];
      chip.setAttribute("aria-pressed", view.status === status);
      if (chip.lastChild.textContent !== this.count(n)) chip.lastChild.textContent = this.count(n);
    });
  }

  #fill(box, options, value) {
    const wanted = JSON.stringify(options);
    if (box.dataset.options !== wanted) {
      box.dataset.options = wanted;
      box.replaceChildren(...options.map(([id, name]) => element("option", { value: id }, name)));
    }
    box.value = options.some(([id]) => id === value) ? value : options[0][0];
  }

  #empty(all, chosen, loaded) {
    const empty = $("empty");
    $("rows").hidden = loaded && !chosen.shown.length;
    empty.hidden = !loaded || chosen.shown.length > 0;
    const about = `${this.view.kind}/${all > 0}`;
    if (empty.hidden || empty.dataset.about === about) return;
    empty.dataset.about = about;
    const ofVehicles = this.view.kind === "vehicle";
    if (all) {
      const showAll = () => {
        $("find").value = "";
        this.view.set({ find: "", status: "", fleet: "" });
      };
      empty.replaceChildren(element("h2", {}, gettext("Nothing matches")),
        ofVehicles ? gettext("No vehicle fits what you look for.") : gettext("No meter fits what you look for."),
        element("button", { type: "button", class: "button", onclick: showAll }, gettext("Show all")));
    } else {
      empty.replaceChildren(element("h2", {}, ofVehicles ? gettext("No vehicles yet") : gettext("No meters yet")),
        gettext("Four steps lead to the first live reading: it shows here within a second."),
        element("a", { class: "button button--main", href: this.steps }, gettext("Show the first steps")));
    }
  }
}

/** "5 moving, 2 idle" of a count by status. */
export const countsInWords = (counts) =>
  Object.entries(counts).map(([status, n]) => interpolate(gettext("%(n)s %(status)s"), { n, status: LABELS[status].toLowerCase() })).join(", ");
