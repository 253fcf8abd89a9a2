// The vehicle's page: loads the period, and keeps charts, way and playback at one moment.
import { useImperial } from "outrider/format";
import { showFences } from "outrider/geofences/layer";
import { Charts } from "outrider/vehicle/charts";
import { Clocks, Moment } from "outrider/vehicle/moments";
import { Player } from "outrider/vehicle/player";
import { Way } from "outrider/vehicle/way";

const AGAIN_MS = 20_000;
const $ = (id) => document.getElementById(id);
const start = JSON.parse($("start").textContent);
useImperial(start.imperial);

const clock = new Clocks();
const moment = new Moment();
const charts = new Charts($("charts"), $("choice"), start, clock, moment, {
  onZoom: (from, to) => go(Math.round(from), Math.round(to)),
  onUnzoom: () => zoomed && history.back(),
});
const way = new Way($("way"), start, moment);
showFences(way.map, { below: "silent" });
const player = new Player($("player"), clock, start.words, moment);

let { query, live } = start;
let zoomed = false;
let turn = 0;

async function load({ keepView = false } = {}) {
  const mine = ++turn;
  $("vehicle").setAttribute("aria-busy", "true");
  let data;
  try {
    const answer = await fetch(`${start.data}?${query}`);
    if (!answer.ok) throw new Error(String(answer.status));
    data = await answer.json();
  } catch {
    if (mine === turn && !keepView) $("summary").textContent = start.words.failed;
    return;
  } finally {
    if (mine === turn) $("vehicle").removeAttribute("aria-busy");
  }
  if (mine !== turn) return;
  show(data, keepView);
}

function show(data, keepView) {
  const begun = performance.now();
  const wasAtEnd = moment.at == null || (shown && moment.at >= shown.end - 1000);
  shown = data;
  clock.set(data.clock);
  $("nothing").hidden = data.fields.length > 0;
  $("nothing").textContent = start.words.nothing;
  if (start.at != null) moment.set(Math.min(Math.max(start.at, data.start), data.end));
  else if (moment.at == null || (live && wasAtEnd && !player.playing) || moment.at < data.start || moment.at > data.end) {
    moment.set(data.start + (data.states.at(-1)?.[1] ?? data.end - data.start));
  }
  start.at = null;
  charts.show(data);
  way.show(data, keepView);
  player.show(data);
  $("summary").innerHTML = data.summary; // Rendered and escaped by the server.
  $("events").innerHTML = data.events;
  for (const link of document.querySelectorAll("a[data-keeps-period]")) link.search = `?${query}`;
  document.documentElement.dataset.drawnMs = String(Math.round(performance.now() - begun));
}
let shown = null;

/** Look at another span; a step that the back button takes back. */
function go(from, to) {
  query = new URLSearchParams({ from: new Date(from).toISOString(), to: new Date(to).toISOString() }).toString();
  live = false;
  zoomed = true;
  history.pushState({ zoomed: true }, "", `?${query}`);
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

setInterval(() => {
  if (live && !document.hidden && !player.playing) load({ keepView: true });
}, AGAIN_MS);
load();
