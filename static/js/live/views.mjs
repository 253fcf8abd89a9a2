// Views with a name: what is in the address, kept for oneself or shared with the organisation.
import { element } from "outrider/format";
import { say } from "outrider/live/said";
import { gettext, interpolate } from "outrider/words";

export function startViews(view, start) {
  const box = document.getElementById("views");
  const panel = box.querySelector(".views__panel");
  let known = start.views;

  const send = async (body) => {
    const answer = await fetch(start.views_address, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": start.csrf },
      body: JSON.stringify(body),
    }).catch(() => null);
    const found = await answer?.json().catch(() => null);
    if (!answer?.ok) {
      say(found?.detail ?? gettext("That could not be saved."));
      return false;
    }
    known = found.views;
    draw();
    return true;
  };

  function row(each) {
    const open = element("a", { href: `?${each.query}` }, each.name, element("small", {}, each.mine ? (each.shared ? gettext("shared") : "") : each.owner));
    open.addEventListener("click", (event) => {
      event.preventDefault();
      box.open = false;
      view.open(each.query);
    });
    const share = element("button", { type: "button", class: "button", "aria-pressed": each.shared, "aria-label": interpolate(gettext("Share %(name)s"), each), onclick: () => send({ id: each.id, shared: !each.shared }) }, gettext("Share"));
    const remove = element("button", { type: "button", class: "button", "aria-label": interpolate(gettext("Delete %(name)s"), each), onclick: () => remove_(each) }, gettext("Delete"));
    return element("li", {}, open, each.mine && share, each.mine && remove);
  }

  // Gone at once, and back as quickly: the query is all there is to it.
  async function remove_(each) {
    if (await send({ id: each.id, delete: true })) say(interpolate(gettext("%(name)s deleted"), each));
  }

  function draw() {
    const name = element("input", { type: "text", maxlength: 80, required: true, placeholder: gettext("Name of this view"), "aria-label": gettext("Name of this view") });
    const form = element("form", {}, name, element("button", { class: "button button--main" }, gettext("Save")));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (await send({ name: name.value, query: location.search.slice(1) })) say(gettext("View saved"));
    });
    panel.replaceChildren(
      known.length ? element("ul", {}, ...known.map(row)) : element("p", {}, gettext("Filters, order, map and selection, kept under a name.")),
      form,
    );
  }
  draw();
  document.addEventListener("pointerdown", (event) => { if (!box.contains(event.target)) box.open = false; });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    box.open = false;
    box.querySelector("summary").focus();
    event.stopPropagation();
  });
}
