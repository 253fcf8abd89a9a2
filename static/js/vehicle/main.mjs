// The vehicle's page: loads the period, and keeps charts, way and playback at one moment.
import { useImperial } from "outrider/format";
import { Charts } from "outrider/vehicle/charts";
import { early } from "outrider/vehicle/early";
import { Clocks, Moment } from "outrider/vehicle/moments";
import { Player } from "outrider/vehicle/player";
import { ask } from "outrider/vehicle/readings";
import { gettext } from "outrider/words";

const AGAIN_MS = 20_000;
const PATIENCE_MS = 1000; // The map waits no longer for the charts.
// What is quicker is not faded: without a graphics card the fading costs more than the answer.
const SLOW_MS = 400;
const $ = (id) => document.getElementById(id);
const start = JSON.parse($("start").textContent);
useImperial(start.imperial);

const clock = new Clocks();
const moment = new Moment();
const charts = new Charts($("charts"), $("choice"), start, clock, moment, {
  onZoom: (from, to) => go(Math.round(from), Math.round(to)),
  onUnzoom: () => zoomed && history.back(),
  onWanted: () => load({ keepView: true }),
});
const player = new Player($("player"), clock, moment);

let { query, live } = start;
let zoomed = false;
let turn = 0;

async function load({ keepView = false, answer = ask(start.data, query, charts.shown) } = {}) {
  const mine = ++turn;
  beBusy();
  let found;
  try {
    found = await answer;
  } catch {
    if (mine === turn && !keepView) $("summary").textContent = gettext("The readings could not be loaded.");
    return;
  } finally {
    if (mine === turn) beIdle();
  }
  if (mine !== turn) return;
  show(found.data, keepView);
  // uPlot draws in tasks of its own that wait already: behind them the charts are there.
  queueMicrotask(() => {
    document.documentElement.dataset.drawnMs = (performance.now() - found.asked).toFixed(1);
  });
}

let slow = 0;
function beBusy() {
  clearTimeout(slow);
  slow = setTimeout(() => $("vehicle").classList.add("is-slow"), SLOW_MS);
  $("vehicle").setAttribute("aria-busy", "true");
}

function beIdle() {
  clearTimeout(slow);
  $("vehicle").classList.remove("is-slow");
  $("vehicle").removeAttribute("aria-busy");
}

function show(data, keepView) {
  const wasAtEnd = moment.at == null || (shown && moment.at >= shown.end - 1000);
  shown = data;
  clock.set(data.clock);
  $("nothing").hidden = data.fields.length > 0;
  $("nothing").textContent = gettext("No readings in this time.");
  if (start.at != null) moment.set(Math.min(Math.max(start.at, data.start), data.end));
  else if (moment.at == null || (live && wasAtEnd && !player.playing) || moment.at < data.start || moment.at > data.end) {
    moment.set(data.start + (data.states.at(-1)?.[1] ?? data.end - data.start));
  }
  start.at = null;
  charts.show(data);
  way?.show(data, keepView);
  player.show(data);
  $("summary").innerHTML = data.summary; // Rendered and escaped by the server.
  $("events").innerHTML = data.events;
  const unfolded = $("signals").querySelector("details")?.open;
  $("signals").innerHTML = data.signals;
  if (unfolded) $("signals").querySelector("details").open = true;
  fit = spoken(data);
  $("fit").hidden = !fit;
  // Nobody asked for just this day: what is known of it fills the room.
  if (fit && start.fits && !live) go(...fit.map(Math.round), "replaceState");
  start.fits = false;
  for (const link of document.querySelectorAll("a[data-keeps-period]")) link.search = `?${query}`;
}
let shown = null;
let fit = null;
let way = null;

// Charts come first: to start a map holds everything else up for a while.
async function openMap() {
  const [{ Way }, { showFences }] = await Promise.all([import("outrider/vehicle/way"), import("outrider/geofences/layer")]);
  way = new Way($("way"), start, moment);
  showFences(way.map, { below: "silent" });
  if (shown) way.show(shown);
}

/** What lies between the first reading and the last, where silence around it takes most of the room. */
function spoken({ start: from, end: to, states }) {
  if (!states.length) return null;
  const [first, last] = [states[0][0], states.at(-1)[1]];
  if (last - first < 1000 || last - first > (to - from) / 2) return null;
  const margin = Math.max((last - first) * 0.03, 1000);
  return [from + Math.max(first - margin, 0), Math.min(from + last + margin, to)];
}
$("fit").addEventListener("click", () => fit && go(...fit.map(Math.round)));

/** Look at another span; a step that the back button takes back. */
function go(from, to, how = "pushState") {
  query = new URLSearchParams({ from: new Date(from).toISOString(), to: new Date(to).toISOString() }).toString();
  live = false;
  zoomed = how === "pushState";
  history[how]({ zoomed }, "", `?${query}`);
  load();
}

addEventListener("popstate", (event) => {
  zoomed = Boolean(event.state?.zoomed);
  const asked = new URLSearchParams(location.search);
  asked.delete("t");
  query = asked.size ? asked.toString() : start.query;
  live = start.live && !zoomed;
  load();
});

// The moment stands in the address once it rests, so that a link shows the same.
let resting = 0;
moment.addEventListener("change", () => {
  if (!moment.from || player.playing) return;
  clearTimeout(resting);
  resting = setTimeout(keep, 400);
});
$("player").addEventListener("rests", keep);
function keep() {
  const address = new URL(location.href);
  address.searchParams.set("t", new Date(moment.at).toISOString().replace(".000", ""));
  history.replaceState(history.state, "", address.search.replaceAll("%3A", ":"));
}

$("events").addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-at]");
  if (chosen) moment.set(Number(chosen.dataset.at) * 1000, "events");
});

// The cursor by keys: a hundredth of what is shown, with shift a tenth.
$("charts").addEventListener("keydown", (event) => {
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!way || !shown || moment.at == null) return;
  event.preventDefault();
  const step = ((shown.end - shown.start) / 100) * (event.shiftKey ? 10 : 1);
  moment.set(Math.min(Math.max(moment.at + way * step, shown.start), shown.end), "charts");
});

setInterval(() => {
  if (live && !document.hidden && !player.playing) load({ keepView: true });
}, AGAIN_MS);
Promise.race([load({ answer: early }), new Promise((over) => setTimeout(over, PATIENCE_MS))]).then(openMap);
