// The live page: what comes by the socket goes into the fleet; list, map and drawer show it.
import { element, useImperial } from "outrider/format";
import { OpenAlerts } from "outrider/live/alerts";
import { choose, rank } from "outrider/live/choose";
import { Drawer } from "outrider/live/drawer";
import { early } from "outrider/live/early";
import { Facets } from "outrider/live/facets";
import { Fleet } from "outrider/live/fleet";
import { GoneBy } from "outrider/live/gone-by";
import { startKeys } from "outrider/live/keys";
import { Lately } from "outrider/live/lately";
import { Link } from "outrider/live/link";
import { List } from "outrider/live/list";
import { Menu, actsOf, onMenu } from "outrider/live/menu";
import { Past } from "outrider/live/past";
import { say } from "outrider/live/said";
import { startSheet } from "outrider/live/sheet";
import { LiveSocket } from "outrider/live/socket";
import { startTabs } from "outrider/live/tabs";
import { View } from "outrider/live/view";
import { startViews } from "outrider/live/views";
import { Wall } from "outrider/live/wall";
import { startShell } from "outrider/shell";

const ORDER_EVERY_MS = 1500;
const MANY = 1500;
const LARGE = 1.5; // On a wall.
const ALL_ARE_HERE_MS = 800; // From the last part of one fleet.
// Of ten thousand something always changes.
const DRAW_MANY_EVERY_MS = 120;
const ROWS_OF_MANY_EVERY_MS = 200; // Nobody reads faster.
const $ = (id) => document.getElementById(id);
const start = JSON.parse($("start").textContent);
useImperial(start.imperial);

const view = new View();
const live = new Fleet();
const select = (key, asStep = true) => view.set({ selected: key }, asStep);
const list = new List($("rows"), live, { onSelect: select });
const lately = new Lately(start.lately);
const goneBy = new GoneBy(start, live, () => redraw());
const alerts = new OpenAlerts(start.csrf, start.may_act);
const facets = new Facets(view, start.steps);
const past = new Past($("past"), start.past, view, live);
const link = new Link($("pulse"), $("banner"), live, { onRetry: () => socket.hurry() });
const drawer = new Drawer($("drawer"), start, { lately, alerts }, {
  onClose: () => { select(""); $("rows").focus(); },
  onFollow: () => follow(!following),
  onAcknowledge: () => acknowledge(selected),
});

const wall = new Wall($("wall"), view, { live, past, link, alerts }, (on) => {
  map?.enlarge(on ? LARGE : 1);
  if (!on) $("to-wall").focus();
});
$("to-wall").addEventListener("click", () => wall.enter());

// The socket and the list wait for no map: it is by far the greatest part of the page.
let map = null;
let mapAsked = false;
async function bringMap() {
  if (mapAsked) return;
  mapAsked = true;
  const parts = [import("outrider/live/map"), import("outrider/geofences/layer"), styled(start.map.css)];
  const [{ FleetMap }, { showFences }] = await Promise.all(parts);
  map = new FleetMap($("map"), start.map, view, { onSelect: select, onToggle: () => (past.on ? past.leave() : past.enter()) });
  showFences(map.map);
  if (wall.on) map.enlarge(LARGE);
  map.map.on("moveend", () => goneBy.fetchTrails(map));
  goneBy.fetchTrails(map);
  onMenu($("map"), (event) => map.thingAt(event), openMenu);
  redraw(true);
}

/** The map's own style sheet: asked for with the page, but nothing else waits for it. */
function styled(address) {
  const link = element("link", { rel: "stylesheet", href: address });
  document.head.prepend(link); // Ours come after it and have the last word.
  return new Promise((done) => (link.onload = link.onerror = done));
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
  // Whom somebody looks at does not wait for the many.
  const soon = now || live.things.size < MANY || live.fresh.has(view.selected);
  if (asked && !soon) return;
  const every = Math.max(DRAW_MANY_EVERY_MS, map?.symbols.pause ?? 0);
  const wait = soon ? 0 : every - (performance.now() - drawnAt);
  asked = true;
  if (wait > 0) setTimeout(() => requestAnimationFrame(draw), wait);
  else requestAnimationFrame(draw);
}

let reordered = false;
function order() {
  const fleet = past.fleet ?? live;
  orderedAt = performance.now();
  if (unranked && fleet === live) {
    rank(live.things.values());
    unranked = false;
  }
  chosen = choose(fleet.things.values(), view, alerts);
  reordered = true;
}

function draw() {
  if (!asked) return;
  asked = false;
  const time = (drawnAt = performance.now());
  const fleet = past.fleet ?? live;
  list.fleet = fleet;
  if (!orderedAt) order();
  else if (time - orderedAt > ORDER_EVERY_MS && !list.held) setTimeout(order); // Apart: a frame is not to wait for it.
  if (reordered) {
    reordered = false;
    facets.draw(fleet, chosen, live.complete.size || (link.state === "live" && !live.fleets.size));
    list.show(chosen.shown, view.selected);
  } else if (fleet.things.size < MANY || time - list.drawnAt > ROWS_OF_MANY_EVERY_MS) {
    list.selected = view.selected;
    list.draw();
  } else {
    list.drawRow(view.selected);
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
  wall.draw(fleet, chosen);
  if (mapAsked) return;
  if (live.things.size || link.state === "live") requestAnimationFrame(() => setTimeout(bringMap));
}

// An address that says where the map stands is obeyed; else the map begins with whoever is
// selected in it.
let opened = Boolean(view.at || !view.selected);
let vehicles = [];
function drawMap(fleet, thing) {
  if (!map) return;
  if (view.kind === "vehicle") vehicles = chosen.shown;
  else vehicles = [...fleet.things.values()].filter((each) => each.kind === "vehicle");
  const beside = thing?.kind === "vehicle" && !vehicles.includes(thing);
  map.old(link.lost);
  if (!opened && thing?.x != null) {
    opened = true;
    map.openOn(thing);
  }
  const way = past.on || lately.key !== thing?.key ? null : lately.way;
  map.show(beside ? [...vehicles, thing] : vehicles, { selected: view.selected, way, now: fleet.clock.now(), drawnAt });
}

// --- What comes -------------------------------------------------------------------------------
let unranked = false;

function allAreHere() {
  map?.frameAgain();
  goneBy.trailsDue = true;
  goneBy.fetchTrails(map);
}

const socket = new LiveSocket(start.socket, {
  snapshot: (message) => {
    live.takeSnapshot(message);
    unranked = true;
    const whole = message.part === message.parts;
    if (whole && link.state !== "live") {
      setTimeout(allAreHere, ALL_ARE_HERE_MS);
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
// A few are in the page itself: something to look at while the socket fetches them all.
for (const message of start.first) live.takeSnapshot(message);
unranked = true;
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

async function acknowledge(thing) {
  if (!thing || !alerts.mayAct) return;
  const sentence = await alerts.acknowledge(thing);
  drawer.drawnAt = 0;
  redraw(true);
  say(sentence);
}

async function copy(text, what) {
  await navigator.clipboard.writeText(text);
  say(what);
}

const menu = new Menu($("menu"), (thing) => actsOf(thing, alerts, {
  onFollow: () => { select(thing.key); follow(true); },
  onAcknowledge: () => acknowledge(thing),
  onCopy: copy,
}));
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
  if ($("find").value !== view.find) $("find").value = view.find;
  $("live").classList.toggle("live--past", past.on);
  past.follow();
  wall.follow();
  redraw(true);
});
startTabs(view, $("rows"));
view.dispatchEvent(new Event("change"));
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
  h: () => $("to-handover").click(),
  w: () => wall.turn(),
  Escape: () => (wall.on ? wall.leave() : select("")),
}, walk, (key) => !wall.on || key === "w" || key === "Escape");
startShell();
startSheet($("list"), $("grip"));
startViews(view, start);

// Those few are on the screen before the many are taken in; a hidden page has no frames.
draw();
if (document.hidden) socket.open(early);
else requestAnimationFrame(() => setTimeout(() => socket.open(early)));

// Ages grow by themselves; a tenth of the fleet at a time.
let beat = 0;
setInterval(() => {
  live.reconsider();
  if (++beat % 10) return;
  redraw();
  if (!past.on && !document.hidden && link.state === "live") goneBy.fetchSince(list.inSight());
}, 100);
