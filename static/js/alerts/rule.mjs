// Shows the fields that belong to the chosen kind, and follows a dry run to its end.
const form = document.getElementById("rule");
const kind = form.elements.namedItem("kind");
const BELONGS = {
  metric: ["threshold"],
  op: ["threshold"],
  value: ["threshold"],
  clear: ["threshold"],
  after_s: ["silence"],
  geofence: ["geofence"],
  event: ["geofence"],
};

function show() {
  for (const field of form.querySelectorAll("[data-field]")) {
    const kinds = BELONGS[field.dataset.field];
    field.hidden = kinds !== undefined && !kinds.includes(kind.value);
  }
}
kind.addEventListener("change", show);
show();

const run = document.getElementById("run");
async function follow() {
  if (run.firstElementChild?.dataset.finished === "yes") return;
  const answer = await fetch(run.dataset.run);
  if (answer.ok && !answer.redirected) run.innerHTML = await answer.text();
  setTimeout(follow, 1000);
}
if (run) follow();
