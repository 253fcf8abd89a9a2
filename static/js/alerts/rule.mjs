// The rule editor: shows what belongs to the kind, and what the rule would have done.
import { RuleCharts } from "outrider/alerts/chart";
import { startRows } from "outrider/alerts/rows";
import { age, element, useImperial } from "outrider/format";
import { gettext, interpolate, ngettext } from "outrider/words";

const form = document.getElementById("rule");
const says = document.getElementById("preview-says");
const found = document.getElementById("preview-found");
const watched = document.getElementById("watched");
const watchedMeter = document.getElementById("watched-meter");
const METERS = "m:";
const POSITION = "lat";
const RATE = "rate_of_change";
const AGE = "age_s";

startRows(form, changed);

/** Fields that do not belong to the kind, or to what it watches, are out of sight. */
function show() {
  const { value: kind } = form.elements.kind;
  const meter = form.elements.subject.value === "meter";
  for (const part of form.querySelectorAll("[data-kind]")) part.hidden = !part.dataset.kind.split(" ").includes(kind);
  for (const select of form.querySelectorAll("select[name$=metric]")) {
    for (const option of select.options) {
      const other = option.value && option.value !== "attribute" && option.value.startsWith(METERS) !== meter;
      option.hidden = option.disabled = other;
      if (other && option.selected) select.value = "";
    }
    const row = select.closest(".row") ?? form;
    const attribute = row.querySelector("[data-attribute], [name=rate_attribute]")?.closest(".field, [data-attribute]");
    if (attribute) attribute.hidden = select.value !== "attribute";
    const aspect = row.querySelector("select[name$=aspect]");
    if (aspect) {
      if (select.value === POSITION) aspect.value = AGE;
      row.querySelector("[data-window]").hidden = aspect.value !== RATE;
    }
  }
  if (watched) {
    watched.hidden = meter;
    watchedMeter.hidden = !meter;
    watched.name = meter ? "" : "watched";
    watchedMeter.name = meter ? "watched" : "";
  }
}

const charts = says && new RuleCharts(document.getElementById("preview-charts"), { height: 170 });
let waiting;
let turn = 0;
function changed() {
  show();
  clearTimeout(waiting);
  if (charts) waiting = setTimeout(preview, 450);
}

async function preview() {
  const mine = ++turn;
  form.classList.add("is-looking");
  let told;
  try {
    const answer = await fetch(form.dataset.preview, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
    told = await answer.json();
  } catch {
    told = { said: gettext("The preview cannot be reached.") };
  }
  if (mine !== turn) return; // Something was changed since: that answer counts.
  form.classList.remove("is-looking");
  complain(told.errors ?? {});
  if (told.series) draw(told);
  else says.textContent = told.said ?? gettext("Mend what is marked, and the preview follows.");
}

function draw(told) {
  useImperial(told.imperial);
  const text = told.count
    ? ngettext("%(name)s would have alerted %(n)s time: %(says)s", "%(name)s would have alerted %(n)s times: %(says)s", told.count)
    : gettext("%(name)s would not have alerted: %(says)s");
  says.textContent = interpolate(text, { name: told.subject, n: told.count, says: told.says });
  charts.show(told);
  found.hidden = !told.episodes.length;
  found.querySelector("tbody").replaceChildren(...told.episodes.map(({ opened, resolved, saw }) =>
    element("tr", {},
      element("td", {}, charts.clock.full(opened)),
      element("td", {}, resolved ? age((resolved - opened) / 1000) : gettext("still open")),
      element("td", {}, saw.join(", ")))));
}

/** Errors of the preview beside their fields, as after saving. */
function complain(errors) {
  for (const said of form.querySelectorAll("[data-complaint]")) {
    said.parentElement.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
    said.remove();
  }
  for (const [name, text] of Object.entries(errors)) {
    const control = form.querySelector(`[name="${CSS.escape(name)}"]`);
    const field = control?.closest(".field");
    if (!field || field.querySelector(".field__error")) continue;
    if (control.matches("input, select")) control.setAttribute("aria-invalid", "true");
    field.append(element("p", { class: "field__error", "data-complaint": true }, text));
  }
}

form.addEventListener("input", (event) => {
  event.target.closest(".field")?.querySelector(".field__error:not([data-complaint])")?.remove();
  changed();
});
show();
if (charts) preview();
