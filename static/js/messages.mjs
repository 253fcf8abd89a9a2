// A device's messages as they come in. Asking is looking: what the device sends is kept as long
// as this page asks. It asks only while it is seen, and what stands open stays open.
import { gettext } from "outrider/words";

const EVERY_MS = 2000;

const panel = document.getElementById("messages");
const box = panel.querySelector("[data-messages]");
const hold = panel.querySelector("[data-holds]");
let held = false;

/** New messages come on top; of those that stand there, what became of them is brought up to date. */
function merge(fresh) {
  const list = box.querySelector("ol");
  if (!list) {
    box.replaceChildren(...fresh.children);
    return;
  }
  const state = box.querySelector("[data-looking]");
  const said = fresh.querySelector("[data-looking]");
  if (state.textContent !== said.textContent) state.replaceWith(said);
  const known = new Map([...list.children].map((each) => [each.dataset.message, each]));
  for (const [at, each] of [...fresh.querySelectorAll("[data-message]")].entries()) {
    const before = known.get(each.dataset.message);
    known.delete(each.dataset.message);
    if (!before) list.insertBefore(each, list.children[at] ?? null);
    else if (before.dataset.fate !== each.dataset.fate) replace(before, each);
  }
  for (const gone of known.values()) gone.remove();
}

function replace(before, after) {
  if (before.contains(document.activeElement)) return; // The next look may.
  const opened = [...before.querySelectorAll("details")].map((one) => one.open);
  for (const [n, one] of after.querySelectorAll("details").entries()) one.open = opened[n] ?? false;
  before.replaceWith(after);
}

async function look() {
  if (held || document.hidden) return;
  try {
    const answer = await fetch(panel.dataset.source);
    if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!held) merge(page.body);
  } catch {
    const state = box.querySelector("[data-looking]");
    if (state) state.textContent = gettext("The connection is lost: what stands here is old.");
  }
}

async function goOn() {
  await look();
  setTimeout(goOn, EVERY_MS);
}

hold.hidden = false;
hold.addEventListener("click", () => {
  held = !held;
  hold.setAttribute("aria-pressed", held);
  if (!held) look();
});
document.addEventListener("visibilitychange", look);
goOn();
