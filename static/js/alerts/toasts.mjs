// What was done, said in the corner as after a reload, with the way to take it back.
import { element } from "outrider/format";
import { gettext } from "outrider/words";

const STAYS_MS = 12000;

/** @param told {said, level: "success" | "warning" | "error", undo: address or ""} */
export function showToast({ said, level = "success", undo = "" }) {
  const box = document.getElementById("toasts");
  const toast = element("div", { class: `toast toast--${level}` }, element("p", {}, said));
  if (undo) {
    const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
    const form = element("form", { method: "post", action: undo },
      element("input", { type: "hidden", name: "csrfmiddlewaretoken", value: token }),
      element("input", { type: "hidden", name: "next", value: location.pathname + location.search }),
      element("button", { class: "toast__undo" }, gettext("Undo")));
    toast.append(form);
  }
  toast.append(element("button", { type: "button", class: "toast__close", onclick: () => toast.remove() }, gettext("Dismiss")));
  for (const before of box.children) before.remove();
  box.append(toast);
  setTimeout(() => toast.remove(), STAYS_MS);
}
