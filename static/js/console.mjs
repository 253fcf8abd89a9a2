// What the console's pages have in common: htmx, ages that go on counting, fields that find
// vehicles and meters, copying, confirmation.
import "htmx.org";
import { age } from "outrider/format";
import { startShell } from "outrider/shell";
import { gettext, interpolate } from "outrider/words";

startShell();

// --- Ages grow while a page is open ----------------------------------------------------------
setInterval(() => {
  for (const each of document.querySelectorAll("time[data-ago]")) {
    const seconds = (Date.now() - Date.parse(each.dateTime)) / 1000;
    if (seconds >= 0) each.textContent = interpolate(gettext("%(time)s ago"), { time: age(seconds) });
  }
}, 1000);

// --- Fields that name a vehicle or meter: suggestions while one types --------------------------
for (const field of document.querySelectorAll("input[data-finds]")) {
  const found = document.getElementById(field.getAttribute("list"));
  const source = document.getElementById("palette")?.dataset.source;
  if (!found || !source) continue;
  let waiting = 0;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const address = new URL(source, location.href);
      address.searchParams.set("q", field.value);
      address.searchParams.set("kind", field.dataset.finds);
      const answer = await fetch(address);
      if (!answer.ok) return;
      found.replaceChildren(...(await answer.json()).found.map((each) => {
        const option = document.createElement("option");
        option.value = each.id;
        option.label = each.name;
        return option;
      }));
    }, 120);
  });
}

// --- Where one is, in a row of tabs that a phone cuts off -----------------------------------------
for (const current of document.querySelectorAll(":is(.tabs, .sections, .states) > [aria-current]")) {
  const row = current.parentElement;
  row.scrollLeft = current.offsetLeft - row.offsetLeft - (row.clientWidth - current.offsetWidth) / 2;
}

// --- Copy, download, choose ---------------------------------------------------------------
document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copies]");
  if (copy) {
    const text = document.getElementById(copy.dataset.copies).textContent;
    await navigator.clipboard.writeText(text.trim());
    const label = copy.querySelector("span");
    const before = label.textContent;
    label.textContent = copy.dataset.copied;
    setTimeout(() => { label.textContent = before; }, 1500);
  }
});

for (const link of document.querySelectorAll("a[data-file]")) {
  const bytes = Uint8Array.from(atob(link.dataset.file), (c) => c.charCodeAt(0));
  link.href = URL.createObjectURL(new Blob([bytes], { type: "text/csv" }));
}

// Leaving a page that holds a secret shown once asks first.
const once = document.querySelector("[data-shown-once]");
if (once) {
  let safe = false;
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-copies], [data-file], [data-kept]")) safe = true;
  });
  addEventListener("beforeunload", (event) => { if (!safe) event.preventDefault(); });
}

// Selects of a filter form act at once; without this script its button does.
for (const form of document.querySelectorAll("form[data-filters]")) {
  form.querySelector("[type=submit]")?.classList.add("visually-hidden");
}

// A drawer of tabs: arrows move, the chosen one shows.
for (const list of document.querySelectorAll("[role=tablist][data-tabs]")) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const choose = (tab, focus) => {
    for (const each of tabs) {
      each.setAttribute("aria-selected", each === tab);
      each.tabIndex = each === tab ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = each !== tab;
    }
    if (focus) tab.focus();
  };
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) choose(tab);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = tabs.indexOf(document.activeElement);
    choose(tabs[(at + step + tabs.length) % tabs.length], true);
  });
}
