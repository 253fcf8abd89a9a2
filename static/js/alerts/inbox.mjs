// The inbox follows the live stream, acts on many alerts at once, and answers to keys.
import { showToast } from "outrider/alerts/toasts";
import { sound, wanted } from "outrider/alerts/attention";
import { gettext, interpolate, ngettext } from "outrider/words";

const form = document.getElementById("inbox");
const list = document.getElementById("alerts");
const all = document.getElementById("all");
const filters = document.getElementById("filters");
const says = document.getElementById("inbox-says");

const rows = () => [...list.querySelectorAll(".alert")];
const boxes = () => [...list.querySelectorAll("input[name=alert]")];
const ticked = () => boxes().filter((box) => box.checked);

// --- Filters stand in the address ------------------------------------------------------------
filters.querySelector("[type=submit]").classList.add("visually-hidden");
function narrowed() {
  const query = new URLSearchParams([...new FormData(filters)].filter(([, value]) => value));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  form.elements.next.value = location.pathname + location.search;
  refresh();
}
let typing;
filters.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(narrowed, 250);
});
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  narrowed();
});

// --- Sound and notifications on request ------------------------------------------------------
const level = document.getElementById("sound");
level.value = wanted.sound;
level.addEventListener("change", () => {
  wanted.sound = level.value;
  if (level.value) sound(level.value);
});
const notify = document.getElementById("notify");
const showNotify = () => notify.setAttribute("aria-pressed", String(wanted.notify));
showNotify();
notify.addEventListener("click", async () => {
  if (wanted.notify) wanted.notify = false;
  else if ((await globalThis.Notification?.requestPermission()) === "granted") wanted.notify = true;
  else showToast({ said: gettext("This browser does not let the page notify you."), level: "warning" });
  showNotify();
});

// --- What is ticked --------------------------------------------------------------------------
function countTicked() {
  if (!all) return;
  const [n, of] = [ticked().length, boxes().length];
  all.checked = n > 0 && n === of;
  all.indeterminate = n > 0 && n < of;
  const label = document.getElementById("ticked");
  label.textContent = n ? interpolate(ngettext("%(n)s ticked", "%(n)s ticked", n), { n }) : label.dataset.none;
  form.classList.toggle("is-ticked", n > 0);
}
all?.addEventListener("change", () => {
  for (const box of boxes()) box.checked = all.checked;
  countTicked();
});
list.addEventListener("change", countTicked);

// --- The list, anew on every event -----------------------------------------------------------
let asking = false;
let again = false;
async function refresh() {
  if (asking) {
    again = true; // One question at a time: a burst of events asks once more at its end.
    return;
  }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(15000) });
    if (answer.ok && !answer.redirected) replace(await answer.text());
  } catch {
    // The list stays as it is; the next event or the connection's return asks again.
  } finally {
    asking = false;
    if (again) {
      again = false;
      setTimeout(refresh, 300);
    }
  }
}

function replace(html) {
  const kept = new Set(ticked().map((box) => box.value));
  const known = new Set(rows().map((row) => row.dataset.id));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const [id, what] = [focused?.closest(".alert")?.dataset.id, focused?.name || focused?.className];
  list.innerHTML = html;
  const states = list.querySelector("template[data-states]");
  document.getElementById("states").replaceChildren(states.content);
  for (const box of boxes()) box.checked = kept.has(box.value);
  let fresh = 0;
  for (const row of rows()) {
    if (!known.has(row.dataset.id)) {
      row.classList.add("is-new");
      fresh++;
    }
    if (row.dataset.id !== id) continue;
    [...row.querySelectorAll("a, input, button")].find((each) => (each.name || each.className) === what)?.focus({ preventScroll: true });
  }
  mark(marked);
  countTicked();
  if (fresh) says.textContent = interpolate(ngettext("%(n)s new alert in the list", "%(n)s new alerts in the list", fresh), { n: fresh });
}
document.addEventListener("outrider:alert", refresh);
document.addEventListener("outrider:alerts-state", ({ detail }) => {
  list.classList.toggle("is-stale", detail === "lost");
  if (detail === "live") refresh();
});
// A snooze ends without an event, and ages are told by the server.
setInterval(refresh, 60000);

// --- Doing -----------------------------------------------------------------------------------
async function act(action, ids, more = {}) {
  if (!all) return; // Who may not act has nothing to tick either.
  const body = new FormData();
  body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  body.set("action", action);
  for (const id of ids) body.append("alert", id);
  for (const name of ["minutes", "assignee", "note"]) body.set(name, more[name] ?? form.elements[name].value);
  let told = { said: gettext("The server cannot be reached. Nothing was done."), level: "error" };
  try {
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { Accept: "application/json" } });
    told = await answer.json();
  } catch {
    // Said below.
  }
  if (told.level !== "error") {
    for (const box of boxes()) box.checked = false;
    form.elements.note.value = "";
  }
  showToast(told);
  refresh();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const action = event.submitter?.value ?? "note";
  act(action, ticked().map((box) => box.value));
});
list.addEventListener("click", (event) => {
  const take = event.target.closest("[name=take]");
  if (take) act("acknowledge", [take.value], { note: "" });
});

// --- Keys ------------------------------------------------------------------------------------
let marked = null;
function mark(id, { scroll = false } = {}) {
  marked = id;
  for (const row of rows()) {
    const is = row.dataset.id === id;
    row.classList.toggle("is-marked", is);
    if (is && scroll) row.scrollIntoView({ block: "nearest" });
  }
}
function step(by) {
  const found = rows();
  if (!found.length) return;
  const at = found.findIndex((row) => row.dataset.id === marked);
  const row = found[at < 0 ? (by > 0 ? 0 : found.length - 1) : Math.max(0, Math.min(found.length - 1, at + by))];
  mark(row.dataset.id, { scroll: true });
  row.querySelector("a").focus({ preventScroll: true });
}
list.addEventListener("focusin", (event) => mark(event.target.closest(".alert")?.dataset.id ?? marked));

/** What a key acts on: what is ticked, or else the marked alert. */
function meant() {
  const found = ticked().map((box) => box.value);
  return found.length || !marked ? found : [marked];
}
const doing = (action, more) => () => (meant().length ? act(action, meant(), more) : showToast({ said: gettext("Mark an alert with j or k first."), level: "warning" }));
const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  o: () => rows().find((row) => row.dataset.id === marked)?.querySelector("a").click(),
  x: () => rows().find((row) => row.dataset.id === marked)?.querySelector("input")?.click(),
  a: doing("acknowledge", { note: "" }),
  s: doing("snooze"),
  m: doing("assign", { assignee: "me" }),
  r: doing("resolve", { note: "" }),
  n: () => form.elements.note?.focus(),
  z: () => document.querySelector(".toast__undo")?.click(),
  "/": () => filters.elements.vehicle.focus(),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input:not([type=checkbox]), select, textarea")) return;
  const pressed = KEYS[event.key];
  if (!pressed) return;
  event.preventDefault();
  pressed();
});
