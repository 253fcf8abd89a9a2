// What the draft would have raised in the last days: asked for, then followed to its end.
import { element } from "outrider/format";
import { gettext } from "outrider/words";

const AGAIN_MS = 700;

export function startTrials(form, draft) {
  const trial = document.getElementById("try");
  const answer = document.getElementById("tried");
  let turn = 0;

  for (const each of document.querySelectorAll("#try, #watch")) {
    const event = each.elements.namedItem("event");
    const minutes = each.querySelector("[data-dwell]");
    const show = () => (minutes.hidden = event.value !== "dwell");
    event.addEventListener("change", show);
    show();
  }

  // A draft that has changed has not been tried.
  draft.addEventListener("change", () => {
    turn += 1;
    answer.replaceChildren();
  });

  trial.addEventListener("submit", async (event) => {
    event.preventDefault();
    const mine = ++turn;
    const asked = new FormData(form);
    for (const [name, value] of new FormData(trial)) asked.set(name, value);
    try {
      const found = await fetch(form.dataset.tries, { method: "POST", body: asked });
      const body = await found.json();
      if (mine !== turn) return;
      if (found.ok) await follow(body.run, mine);
      else complain(Object.values(body.errors).flat().map((each) => each.message ?? each).join(" "));
    } catch {
      if (mine === turn) complain(gettext("It could not be tried. Try again."));
    }
  });

  async function follow(address, mine) {
    const found = await fetch(address);
    if (!found.ok) throw new Error(String(found.status));
    const text = await found.text();
    if (mine !== turn) return;
    answer.innerHTML = text; // Rendered and escaped by the server.
    if (answer.firstElementChild?.dataset.finished === "yes") return;
    await new Promise((done) => setTimeout(done, AGAIN_MS));
    if (mine === turn) await follow(address, mine);
  }

  function complain(text) {
    answer.replaceChildren(element("p", { class: "notice notice--critical", role: "alert" }, text));
  }
}
