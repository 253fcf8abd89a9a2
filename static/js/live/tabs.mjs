// Vehicles or meters: which of them the list shows.
import { gettext } from "outrider/words";

export function startTabs(view, rows) {
  const tabs = [...document.querySelectorAll("[role=tab][data-kind]")];
  const show = (kind) => view.set({ kind, status: "", sort: "attention", selected: "" });
  for (const tab of tabs) {
    tab.addEventListener("click", () => show(tab.dataset.kind));
    tab.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      const other = tabs.find((each) => each !== tab);
      show(other.dataset.kind);
      other.focus();
    });
  }
  view.addEventListener("change", () => {
    for (const tab of tabs) {
      const on = tab.dataset.kind === view.kind;
      tab.setAttribute("aria-selected", on);
      tab.tabIndex = on ? 0 : -1;
    }
    rows.setAttribute("aria-label", view.kind === "vehicle" ? gettext("Vehicles") : gettext("Meters"));
  });
}
