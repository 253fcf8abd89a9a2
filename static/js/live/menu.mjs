// What can be done with a vehicle where it is seen: by a right click, a long press or the menu key.
import { element } from "outrider/format";
import { gettext } from "outrider/words";

/** What there is to do: [[label, act or address]]. */
export function actsOf(thing, alerts, { onFollow, onAcknowledge, onCopy }) {
  const open = alerts.of(thing);
  const acts = [];
  if (thing.kind === "vehicle") acts.push([gettext("Follow on the map"), onFollow]);
  acts.push([gettext("Open its page"), `/${thing.kind}s/${encodeURIComponent(thing.id)}/`]);
  if (open.length) acts.push([gettext("Show its alerts"), open.length === 1 ? `/alerts/${open[0].id}` : "/alerts?group=vehicle"]);
  if (alerts.mayAct && open.some((alert) => alert.state === "open")) acts.push([gettext("Acknowledge its alerts"), onAcknowledge]);
  const shared = new URL(location.href);
  shared.searchParams.set("selected", thing.key);
  acts.push([gettext("Copy link to this view"), () => onCopy(shared.href, gettext("Link copied"))]);
  if (thing.kind !== "vehicle") return acts;
  const api = new URL(`/v1/telemetry/${encodeURIComponent(thing.id)}/latest`, location.href).href;
  acts.push([gettext("Copy as API address"), () => onCopy(api, gettext("Address copied"))]);
  acts.push([gettext("Copy as curl"), () => onCopy(`curl ${api} -H "Authorization: Bearer $OUTRIDER_TOKEN"`, gettext("Command copied"))]);
  return acts;
}

const LONG_PRESS_MS = 550;

export class Menu {
  /** @param actsOf (thing) → [[label, act or address]] */
  constructor(box, actsOf) {
    this.box = box;
    this.actsOf = actsOf;
    document.addEventListener("pointerdown", (event) => !box.contains(event.target) && this.close());
    box.addEventListener("keydown", (event) => this.#walk(event));
    box.addEventListener("focusout", (event) => !box.contains(event.relatedTarget) && this.close());
  }

  open(thing, x, y) {
    this.before = document.activeElement;
    const items = this.actsOf(thing).map(([label, act]) =>
      typeof act === "string"
        ? element("a", { role: "menuitem", tabindex: "-1", href: act }, label)
        : element("button", { type: "button", role: "menuitem", tabindex: "-1", onclick: () => { this.close(); act(); } }, label));
    this.box.replaceChildren(element("p", { "aria-hidden": "true" }, thing.name), ...items);
    this.box.setAttribute("aria-label", `${gettext("Actions")}: ${thing.name}`);
    this.box.hidden = false;
    const { offsetWidth, offsetHeight } = this.box;
    this.box.style.left = `${Math.max(8, Math.min(x, innerWidth - offsetWidth - 8))}px`;
    this.box.style.top = `${Math.max(8, Math.min(y, innerHeight - offsetHeight - 8))}px`;
    items[0].focus({ preventScroll: true });
  }

  close() {
    if (this.box.hidden) return;
    const inside = this.box.contains(document.activeElement);
    this.box.hidden = true;
    if (inside) this.before?.focus?.({ preventScroll: true });
  }

  #walk(event) {
    const items = [...this.box.querySelectorAll("[role=menuitem]")];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") this.close();
    else if (to == null) return;
    else items[(to + items.length) % items.length].focus();
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Right click or long press on `box`; `find(event)` names the thing there, or nothing. */
export function onMenu(box, find, open) {
  let pressing = 0;
  box.addEventListener("contextmenu", (event) => {
    const thing = find(event);
    if (!thing) return;
    event.preventDefault();
    open(thing, event.clientX, event.clientY);
  });
  box.addEventListener("pointerdown", (event) => {
    clearTimeout(pressing);
    if (event.pointerType !== "touch") return;
    const thing = find(event);
    if (thing) pressing = setTimeout(() => open(thing, event.clientX, event.clientY), LONG_PRESS_MS);
  });
  for (const name of ["pointerup", "pointercancel", "pointermove"]) {
    box.addEventListener(name, (event) => {
      if (name !== "pointermove" || Math.hypot(event.movementX, event.movementY) > 4) clearTimeout(pressing);
    });
  }
}
