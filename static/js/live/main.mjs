// The live page: what comes by the socket goes into the fleet; list, map and drawer show it.
import { count, moment, useImperial, element } from "outrider/format";
import { showFences } from "outrider/geofences/layer";
import { SORTS, choose, rank } from "outrider/live/choose";
import { Drawer } from "outrider/live/drawer";
import { Fleet } from "outrider/live/fleet";
import { List } from "outrider/live/list";
import { FleetMap } from "outrider/live/map";
import { mark } from "outrider/live/marks";
import { startSheet } from "outrider/live/sheet";
import { LiveSocket } from "outrider/live/socket";
import { EXPLAINED, LABELS, STATUSES } from "outrider/live/status";
import { View } from "outrider/live/view";
import { startShell } from "outrider/shell";

const ORDER_EVERY_MS = 1500;
const $ = (id) => document.getElementById(id);
const start = JSON.parse($("start").textContent);
useImperial(start.imperial);

const view = new View();
const fleet = new Fleet();
const select = (key, asStep = true) => view.set({ selected: key }, asStep);
const list = new List($("rows"), fleet, { onSelect: select });
const map = new FleetMap($("map"), start.map, view, { onSelect: select });
showFences(map.map);
const drawer = new Drawer($("drawer"), fleet, start.fields, {
  onClose: () => { select(""); $("rows").focus(); },
  onFollow: () => follow(!following),
});
startShell();
startSheet($("list"), $("grip"));

let connection = "connecting";
let following = false;
let selected = null;
let orderedAt = 0;
let chosen = { shown: [], counts: {}, total: 0, attention: 0 };

// --- Drawing: at most once a frame, the order of the list less often ------------------------
let asked = false;
function redraw(now = false) {
  if (now) orderedAt = 0;
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    draw();
  });
}

function draw() {
  const time = performance.now();
  if (!orderedAt || (time - orderedAt > ORDER_EVERY_MS && !list.held)) {
    orderedAt = time;
    chosen = choose(fleet.things.values(), view);
    drawChips();
    drawSelects();
    drawEmpty();
    list.show(chosen.shown, view.selected);
  } else {
    list.selected = view.selected;
    list.draw();
  }
  const thing = fleet.things.get(view.selected) ?? null;
  const onMap = view.kind === "vehicle" ? chosen.shown : [...fleet.things.values()].filter((each) => each.kind === "vehicle");
  map.show(thing && thing.kind === "vehicle" && !onMap.includes(thing) ? [...onMap, thing] : onMap, view.selected);
  if (thing !== selected) {
    selected = thing;
    if (thing) list.reveal(thing.key);
    drawer.show(thing, following);
    if (thing) requestAnimationFrame(() => map.reveal(thing));
  } else {
    drawer.show(thing, following);
    if (following && thing) map.reveal(thing, true);
  }
  drawPulse();
}

function drawChips() {
  const { counts, total, attention } = chosen;
  const chips = [["", "All", total, null]];
  if (attention) chips.push(["attention", "Needs attention", attention, null]);
  for (const status of STATUSES) if (counts[status]) chips.push([status, LABELS[status], counts[status], status]);
  if (view.status && !chips.some(([status]) => status === view.status)) {
    chips.push([view.status, LABELS[view.status] ?? "Needs attention", 0, LABELS[view.status] ? view.status : null]);
  }
  const focused = document.activeElement?.dataset?.status;
  $("chips").replaceChildren(...chips.map(([status, label, n, shape]) =>
    element("button", { type: "button", class: "chip", "aria-pressed": view.status === status, "data-status": status, title: EXPLAINED[status], onclick: () => view.set({ status: view.status === status ? "" : status }) },
      shape && mark(shape), label, element("b", {}, count(n)))));
  if (focused != null) $("chips").querySelector(`[data-status="${focused}"]`)?.focus();
  let [vehicles, meters] = [0, 0];
  for (const { kind } of fleet.things.values()) kind === "vehicle" ? vehicles++ : meters++;
  $("tab-vehicles").querySelector("b").textContent = count(vehicles);
  $("tab-meters").querySelector("b").textContent = count(meters);
}

function drawSelects() {
  fill($("sort"), Object.entries(SORTS[view.kind]), view.sort);
  const fleets = [...fleet.fleets.values()].map(({ id, name }) => [id, name]);
  fill($("fleet"), [["", "all"], ...fleets], view.fleet);
}

function fill(box, options, value) {
  const wanted = JSON.stringify(options);
  if (box.dataset.options !== wanted) {
    box.dataset.options = wanted;
    box.replaceChildren(...options.map(([id, name]) => element("option", { value: id }, name)));
  }
  box.value = options.some(([id]) => id === value) ? value : options[0][0];
}

function drawEmpty() {
  const empty = $("empty");
  const loaded = fleet.complete.size || (connection === "live" && !fleet.fleets.size);
  $("rows").hidden = loaded && !chosen.shown.length;
  empty.hidden = !loaded || chosen.shown.length > 0;
  if (empty.hidden) return;
  const any = [...fleet.things.values()].some((thing) => thing.kind === view.kind);
  const noun = view.kind === "vehicle" ? "vehicle" : "meter";
  const about = any ? "any" : "none";
  if (empty.dataset.about === about + noun) return;
  empty.dataset.about = about + noun;
  if (any) {
    empty.replaceChildren(element("h2", {}, "Nothing matches"), `No ${noun} fits what you look for.`,
      element("button", { type: "button", class: "button", onclick: () => { $("find").value = ""; view.set({ find: "", status: "", fleet: "" }); } }, "Show all"));
  } else {
    empty.replaceChildren(element("h2", {}, `No ${noun}s yet`),
      "Four steps lead to the first live reading: it shows here within a second.",
      element("a", { class: "button button--main", href: start.steps }, "Show the first steps"));
  }
}

// --- The connection, said honestly ------------------------------------------------------------
function drawPulse() {
  const pulse = $("pulse");
  const lag = fleet.lag();
  const text = connection === "live" ? (lag == null ? "Live" : `Live · ${lag < 10 ? lag.toFixed(1) : Math.round(lag)} s`) : connection === "lost" ? "Not connected" : "Connecting";
  if (pulse.dataset.state !== connection) pulse.dataset.state = connection;
  if (pulse.lastElementChild.textContent !== text) pulse.lastElementChild.textContent = text;
  pulse.title = connection === "live" ? "From the device's clock to this screen: the middle of the last readings. Click to reconnect." : "Click to try again now";
}

let lostSince = null;
function connected(state) {
  if (state === "live") lostSince = null;
  if (state === "lost") lostSince ??= fleet.clock.now();
  connection = state === "connecting" && lostSince ? "lost" : state;
  const lost = connection === "lost" && fleet.things.size > 0;
  map.old(lost);
  const banner = $("banner");
  banner.hidden = !lost;
  if (lost && !banner.childElementCount) {
    const asOf = fleet.asOf();
    banner.replaceChildren(element("b", {}, "Connection lost"), `Data as of ${asOf ? moment(asOf) : "–"}`,
      element("button", { type: "button", class: "button", onclick: () => socket.hurry() }, "Try now"));
  } else if (!lost) {
    banner.replaceChildren();
  }
  redraw(state === "live");
}

// After every return, too: what was driven in between is in history.
let trailsFor = null;
async function fetchTrails() {
  const wanted = (trailsFor = Symbol("trails"));
  const answer = await fetch(start.trails).catch(() => null);
  if (!answer?.ok || wanted !== trailsFor) return;
  fleet.takeTrails((await answer.json()).trails);
  redraw();
}

const socket = new LiveSocket(start.socket, {
  snapshot: (message) => {
    fleet.takeSnapshot(message);
    if (message.part === message.parts || message.part === 1) rank(fleet.things.values());
    if (message.part === message.parts && connection !== "live") setTimeout(fetchTrails, 800); // By then all fleets are here.
    redraw(true);
  },
  update: (message) => { fleet.takeUpdate(message); redraw(); },
  left: (room) => { fleet.leave(room); redraw(true); },
  state: (state) => (state !== connection || state === "lost") && connected(state),
});
socket.open();
addEventListener("online", () => socket.hurry());
$("pulse").addEventListener("click", () => socket.hurry());

// --- What a person does ------------------------------------------------------------------------
function follow(on) {
  following = on;
  redraw();
}

function show(kind) {
  view.set({ kind, status: "", sort: "attention", selected: "" });
}

$("map").addEventListener("taken-over", () => follow(false));
view.addEventListener("change", () => {
  if (view.selected !== selected?.key) following = false;
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const on = tab.dataset.kind === view.kind;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
  }
  $("rows").setAttribute("aria-label", view.kind === "vehicle" ? "Vehicles" : "Meters");
  if ($("find").value !== view.find) $("find").value = view.find;
  redraw(true);
});
view.dispatchEvent(new Event("change"));
for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.addEventListener("click", () => show(tab.dataset.kind));
  tab.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = tab.dataset.kind === "vehicle" ? "meter" : "vehicle";
    show(other);
    document.querySelector(`[role=tab][data-kind=${other}]`).focus();
  });
}
$("find").addEventListener("input", (event) => view.set({ find: event.target.value }));
$("sort").addEventListener("change", (event) => view.set({ sort: event.target.value }));
$("fleet").addEventListener("change", (event) => view.set({ fleet: event.target.value }));

const walk = (step) => {
  const key = list.neighbour(view.selected, step);
  if (key) select(key, false);
};
const KEYS = {
  "/": () => $("find").select(),
  j: () => walk(1),
  k: () => walk(-1),
  f: () => selected?.kind === "vehicle" && follow(!following),
  Escape: () => select(""),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const typing = event.target.matches("input, select, textarea");
  if (typing && event.key === "Escape" && event.target === $("find")) $("rows").focus();
  if (typing || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
$("find").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  walk(1);
  $("rows").focus();
});
$("rows").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
  if (!step) return;
  event.preventDefault();
  walk(step);
});

// Ages grow by themselves.
setInterval(() => {
  fleet.reconsider();
  redraw();
}, 1000);
