// Keys that work on every page, the list of them behind "?", and what the bar of a phone holds
// back behind "More". What is typed into a field is never taken for a key.

const PATIENCE_MS = 1500;
const typing = (target) => target.closest?.("input, select, textarea, [contenteditable]") !== null;
const dialog = document.getElementById("keys");
const links = [...document.querySelectorAll(".rail [data-goes]")];

// --- The list: pages one can go to stand in it as the rail has them --------------------------
for (const link of links) {
  const key = document.createElement("dt");
  const letter = document.createElement("kbd");
  letter.textContent = link.dataset.goes.toUpperCase();
  key.append(letter);
  const name = document.createElement("dd");
  name.textContent = link.querySelector(".rail__name").textContent;
  dialog.querySelector("dl").append(key, name);
}
for (const opener of document.querySelectorAll("[data-opens=keys]")) {
  opener.addEventListener("click", () => {
    opener.closest("details")?.removeAttribute("open");
    dialog.showModal();
  });
}
dialog.querySelector("[data-closes]").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// --- Keys -------------------------------------------------------------------------------------
let going = 0;

function step(by) {
  const rows = [...document.querySelectorAll("#table tbody tr")].map((row) => row.querySelector("th a")).filter(Boolean);
  if (!rows.length) return false;
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 && by < 0 ? rows.length - 1 : at + by;
  rows[Math.min(Math.max(next, 0), rows.length - 1)].focus();
  return true;
}

function search() {
  const field = document.querySelector("main input[type=search]");
  field?.focus();
  field?.select();
  return Boolean(field);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  if (event.timeStamp - going < PATIENCE_MS && going) {
    going = 0;
    const link = links.find((each) => each.dataset.goes === event.key.toLowerCase());
    if (!link) return;
    event.preventDefault();
    // The letter belongs to "go": the page's own keys do not hear it.
    event.stopImmediatePropagation();
    link.click();
    return;
  }
  if (event.key === "g") {
    going = event.timeStamp;
  } else if (event.key === "?") {
    event.preventDefault();
    dialog.showModal();
  } else if ((event.key === "/" && search()) || (event.key === "j" && step(1)) || (event.key === "k" && step(-1))) {
    event.preventDefault();
  }
});

// --- More ---------------------------------------------------------------------------------------
const more = document.querySelector("[data-more]");
const sheet = document.getElementById("more");
sheet.append(...[...document.querySelectorAll(".rail__link--apart")].map((link) => {
  const copy = link.cloneNode(true);
  copy.className = "more__link";
  copy.querySelector("[id]")?.removeAttribute("id");
  delete copy.dataset.goes;
  return copy;
}));
if (sheet.querySelector("[aria-current]")) more.setAttribute("aria-current", "true");

function unfold(open, back = false) {
  sheet.hidden = !open;
  more.setAttribute("aria-expanded", open);
  if (open) sheet.querySelector("a").focus();
  else if (back) more.focus();
}

more.addEventListener("click", () => unfold(sheet.hidden));
document.addEventListener("pointerdown", (event) => {
  if (!sheet.hidden && !sheet.contains(event.target) && !more.contains(event.target)) unfold(false);
});
sheet.addEventListener("keydown", (event) => { if (event.key === "Escape") unfold(false, true); });
