// One alert: its chart, its place, its keys; anew when something happens to it.
import { RuleCharts } from "outrider/alerts/chart";
import { useImperial } from "outrider/format";

const start = JSON.parse(document.getElementById("start").textContent);
const page = document.querySelector("[data-alert]");
useImperial(start.imperial);

const charts = document.getElementById("charts");
if (charts) {
  const { began, opened, resolved } = start;
  new RuleCharts(charts).show({ ...start, episodes: [{ started: began, opened, resolved }] });
}
const map = document.getElementById("map");
// The map is large: the rest of the page does not wait for it.
if (map) import("outrider/alerts/place").then(({ Place }) => new Place(map, start));

const KEYS = { a: "acknowledge", s: "snooze", m: "assign", r: "resolve", w: "wake" };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === "u") document.querySelector(".crumb").click();
  else if (event.key === "n") document.querySelector("[name=note]")?.focus();
  else if (event.key === "z") document.querySelector(".toast__undo")?.click();
  else if (KEYS[event.key]) document.querySelector(`button[name=action][value=${KEYS[event.key]}]`)?.click();
  else return;
  event.preventDefault();
});

// Somebody else acted, or it is over: say so, and let the reader decide when to look.
document.addEventListener("outrider:alert", ({ detail }) => {
  const { id, state } = detail.alert;
  if (id === page.dataset.alert && (state !== page.dataset.state || detail.type === "alert.updated")) document.getElementById("changed").hidden = false;
});
