// The live page: what comes by the socket goes into the fleet; list, map and drawer show it.
import { useImperial } from "outrider/format";
import { OpenAlerts } from "outrider/live/alerts";
import { choose, rank } from "outrider/live/choose";
import { showFences } from "outrider/geofences/layer";
import { Drawer } from "outrider/live/drawer";
import { Facets } from "outrider/live/facets";
import { Fleet } from "outrider/live/fleet";
import { startKeys } from "outrider/live/keys";
import { Lately } from "outrider/live/lately";
import { Link } from "outrider/live/link";
import { List } from "outrider/live/list";
import { Menu, onMenu } from "outrider/live/menu";
import { Past } from "outrider/live/past";
import { startSheet } from "outrider/live/sheet";
import { LiveSocket } from "outrider/live/socket";
import { View } from "outrider/live/view";
import { startViews } from "outrider/live/views";
import { startShell } from "outrider/shell";
import { gettext, interpolate, ngettext } from "outrider/words";

const ORDER_EVERY_MS = 1500;
const MANY = 1500;
const DRAW_MANY_EVERY_MS = 120; // Of ten thousand something always changes.
const $ = (id) => document.getElementById(id);
const start = JSON.parse($("start").textContent);
useImperial(start.imperial);

const view = new View();
const live = new Fleet();
const select = (key, asStep = true) => view.set({ selected: key }, asStep);
const list = new List($("rows"), live, { onSelect: select });
const lately = new Lately(start.lately);
const alerts = new OpenAlerts(start.csrf, start.may_act);
const facets = new Facets(view, start.steps);
const past = new Past($("past"), start.past, view, live);
const link = new Link($("pulse"), $("banner"), live, { onRetry: () => socket.hurry() });
const drawer = new Drawer($("drawer"), start, { lately, alerts }, {
  onClose: () => { select(""); $("rows").focus(); },
  onFollow: () => follow(!following),
  onAcknowledge: () => acknowledge(selected),
});

// The socket and the list wait for no map: it is by far the greatest part of the page.
let map = null;
let mapAsked = false;
async function bringMap() {
  if (mapAsked) return;
  mapAsked = true;
  const { FleetMap } = await import("outrider/live/map");
  map = new FleetMap($("map"), start.map, view, { onSelect: select, onToggle: () => (past.on ? past.leave() : past.enter()) });
  showFences(map.map);
  onMenu($("map"), (event) => map.thingAt(event), openMenu);
  redraw(true);
}

let following = false;
let selected = null;
let orderedAt = 0;
let drawnAt = 0;
let chosen = { shown: [], counts: {}, total: 0, attention: 0, alerts: 0 };

// --- Drawing: at most once a frame, of many less often, the order of the list less often still
let asked = false;
function redraw(now = false) {
  if (now) orderedAt = 0;
  if (asked && !now) return;
  const wait = now || live.things.size < MANY ? 0 : DRAW_MANY_EVERY_MS - (performance.now() - drawnAt);
  asked = true;
  if (wait > 0) setTimeout(() => requestAnimationFrame(draw), wait);
  else requestAnimationFrame(draw);
}

function draw() {
  if (!asked) return;
  asked = false;
  const time = (drawnAt = performance.now());
  const fleet = past.fleet ?? live;
  list.fleet = fleet;
  if (!orderedAt || (time - orderedAt > ORDER_EVERY_MS && !list.held)) {
    orderedAt = time;
    if (unranked && fleet === live) {
      rank(live.things.values());
      unranked = false;
    }
    chosen = choose(fleet.things.values(), view, alerts);
    facets.draw(fleet, chosen, live.complete.size || (link.state === "live" && !live.fleets.size));
    list.show(chosen.shown, view.selected);
  } else {
    list.selected = view.selected;
    list.draw();
  }
  const thing = fleet.things.get(view.selected) ?? null;
  drawMap(fleet, thing);
  drawer.fleet = fleet;
  const news = live.changed(view.selected);
  if (thing !== selected) {
    selected = thing;
    if (thing) list.reveal(thing.key);
    drawer.show(thing, following);
    if (thing) requestAnimationFrame(() => map?.reveal(thing));
  } else if (news || time - drawer.drawnAt > 900) {
    drawer.show(thing, following);
    if (following && thing) map?.reveal(thing, true);
  }
  if (thing?.kind === "vehicle" && !past.on) {
    if (news) lately.add(thing);
    if (link.state === "live") lately.about(thing);
  }
  link.draw(past.on);
  if (mapAsked) return;
  if (live.things.size || link.state === "live") requestAnimationFrame(() => setTimeout(bringMap));
}

let vehicles = [];
function drawMap(fleet, thing) {
  if (!map) return;
  if (view.kind === "vehicle") vehicles = chosen.shown;
  else vehicles = [...fleet.things.values()].filter((each) => each.kind === "vehicle");
  const beside = thing?.kind === "vehicle" && !vehicles.includes(thing);
  map.old(link.lost);
  map.show(beside ? [...vehicles, thing] : vehicles, view.selected, past.on || lately.key !== thing?.key ? null : lately.way, fleet.clock.now());
}

// --- What comes -------------------------------------------------------------------------------
let unranked = false;
// After every return, too: what was driven in between is in history.
let trailsFor = null;
async function fetchTrails() {
  const wanted = (trailsFor = Symbol("trails"));
  const answer = await fetch(start.trails).catch(() => null);
  if (!answer?.ok || wanted !== trailsFor) return;
  live.takeTrails((await answer.json()).trails);
  redraw();
}

// Since when those in sight do what they do: asked once of each.
async function fetchSince() {
  if (past.on || document.hidden || link.state !== "live") return;
  const unknown = list.inSight().filter((thing) => thing.kind === "vehicle" && thing.since == null && !thing.sinceAsked && thing.state);
  if (!unknown.length) return;
  const query = new URLSearchParams();
  for (const thing of unknown.slice(0, 60)) {
    thing.sinceAsked = true;
    query.append("of", `${thing.status}:${thing.id}`);
  }
  const answer = await fetch(`${start.since}?${query}`).catch(() => null);
  if (!answer?.ok) return;
  live.takeSince((await answer.json()).since);
  redraw();
}

const socket = new LiveSocket(start.socket, {
  snapshot: (message) => {
    live.takeSnapshot(message);
    unranked = true;
    const whole = message.part === message.parts;
    if (whole && link.state !== "live") {
      setTimeout(fetchTrails, 800); // By then all fleets are here.
      alerts.load();
    }
    past.follow();
    // The first rows at once; then as the parts come, without sorting everything each time.
    redraw(live.things.size <= MANY);
  },
  update: (message) => {
    live.takeUpdate(message);
    if (!past.on) redraw();
  },
  left: (room) => { live.leave(room); redraw(true); },
  alert: () => alerts.load(),
  state: (state) => {
    if (state === link.state && state !== "lost") return;
    link.set(state);
    redraw(state === "live");
  },
});
socket.open();
addEventListener("online", () => socket.hurry());
alerts.addEventListener("change", () => redraw(true));
lately.addEventListener("change", () => { drawer.drawnAt = 0; redraw(); });
past.addEventListener("change", () => redraw(true));

// --- What a person does ------------------------------------------------------------------------
function follow(on) {
  following = on;
  drawer.drawnAt = 0;
  redraw();
}

function show(kind) {
  view.set({ kind, status: "", sort: "attention", selected: "" });
}

function say(text) {
  $("said").textContent = text;
  $("said").hidden = false;
  clearTimeout(say.waiting);
  say.waiting = setTimeout(() => ($("said").hidden = true), 4000);
}

async function acknowledge(thing) {
  if (!thing || !alerts.mayAct) return;
  const open = alerts.of(thing).filter((alert) => alert.state === "open").length;
  if (!open) {
    say(gettext("No open alert to acknowledge."));
    return;
  }
  const done = await alerts.acknowledge(thing);
  drawer.drawnAt = 0;
  redraw(true);
  say(done == null ? gettext("The alert could not be acknowledged.") : interpolate(ngettext("%(n)s alert acknowledged", "%(n)s alerts acknowledged", done), { n: done }));
}

async function copy(text, what) {
  await navigator.clipboard.writeText(text);
  say(what);
}

const menu = new Menu($("menu"), (thing) => {
  const api = new URL(`/v1/telemetry/${encodeURIComponent(thing.id)}/latest`, location.href).href;
  const page = `/${thing.kind}s/${encodeURIComponent(thing.id)}/`;
  const shared = new URL(location.href);
  shared.searchParams.set("selected", thing.key);
  return [
    thing.kind === "vehicle" && [gettext("Follow on the map"), () => { select(thing.key); follow(true); }],
    [gettext("Open its page"), page],
    alerts.of(thing).length > 0 && [gettext("Show its alerts"), alerts.of(thing).length === 1 ? `/alerts/${alerts.of(thing)[0].id}` : "/alerts?group=vehicle"],
    alerts.mayAct && alerts.of(thing).some((alert) => alert.state === "open") && [gettext("Acknowledge its alerts"), () => acknowledge(thing)],
    [gettext("Copy link to this view"), () => copy(shared.href, gettext("Link copied"))],
    thing.kind === "vehicle" && [gettext("Copy as API address"), () => copy(api, gettext("Address copied"))],
    thing.kind === "vehicle" && [gettext("Copy as curl"), () => copy(`curl ${api} -H "Authorization: Bearer $OUTRIDER_TOKEN"`, gettext("Command copied"))],
  ].filter(Boolean);
});
const openMenu = (thing, x, y) => menu.open(thing, x, y);
const thingOfRow = (event) => (past.fleet ?? live).things.get(event.target.closest(".row")?.dataset.key);
onMenu($("rows"), thingOfRow, openMenu);
function menuOfSelected() {
  const row = selected && list.boxOf(selected.key);
  if (!row) return;
  const { left, bottom } = row.getBoundingClientRect();
  openMenu(selected, left + 40, bottom - 8);
}
$("rows").addEventListener("contextmenu", (event) => {
  if (event.target.closest(".row") || event.defaultPrevented) return;
  event.preventDefault(); // The menu key: the list has the focus, the selected row is meant.
  menuOfSelected();
});

$("map").addEventListener("taken-over", () => follow(false));
view.addEventListener("change", () => {
  if (view.selected !== selected?.key) following = false;
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const on = tab.dataset.kind === view.kind;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
  }
  $("rows").setAttribute("aria-label", view.kind === "vehicle" ? gettext("Vehicles") : gettext("Meters"));
  if ($("find").value !== view.find) $("find").value = view.find;
  $("live").classList.toggle("live--past", past.on);
  past.follow();
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

const walk = (step) => {
  const key = list.neighbour(view.selected, step);
  if (key) select(key, false);
};
startKeys({
  "/": () => $("find").select(),
  j: () => walk(1),
  k: () => walk(-1),
  f: () => selected?.kind === "vehicle" && follow(!following),
  a: () => acknowledge(selected),
  m: menuOfSelected,
  t: () => past.enter(),
  l: () => past.leave(),
  w: () => wall(),
  Escape: () => select(""),
}, walk);
startShell();
startSheet($("list"), $("grip"));
startViews(view, start, say);

// On a wall nobody points at anything: the map alone, as large as the screen.
async function wall() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await $("live").requestFullscreen().catch(() => {});
}

// Ages grow by themselves; a tenth of the fleet at a time.
let beat = 0;
setInterval(() => {
  live.reconsider();
  if (++beat % 10) return;
  redraw();
  fetchSince();
}, 100);
