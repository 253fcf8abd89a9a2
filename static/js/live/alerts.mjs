// Alerts that are not resolved, by the vehicle or meter they are about. The API has the truth;
// the live stream says when to ask again.
import { gettext, interpolate, ngettext } from "outrider/words";

const MOST = 1000;
const AGAIN_MS = 1500;
export const GRAVEST = ["critical", "high", "medium", "low"];

export class OpenAlerts extends EventTarget {
  constructor(csrf, mayAct) {
    super();
    this.csrf = csrf;
    this.mayAct = mayAct;
    /** "vehicle:V1" → its alerts, the gravest first */
    this.bySubject = new Map();
  }

  of(thing) {
    return this.bySubject.get(thing.key) ?? [];
  }

  /** Ask once, however many events come while the answer is on its way. */
  load() {
    if (this.asked) return;
    this.asked = true;
    setTimeout(() => this.#load().catch(() => {}).finally(() => (this.asked = false)), this.loaded ? AGAIN_MS : 0);
  }

  async #load() {
    const answer = await fetch(`/v1/alerts?limit=${MOST}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    this.loaded = true;
    this.bySubject.clear();
    for (const alert of (await answer.json()).results) {
      const key = `${alert.subject_kind}:${alert.subject}`;
      if (!this.bySubject.has(key)) this.bySubject.set(key, []);
      this.bySubject.get(key).push(alert);
    }
    for (const found of this.bySubject.values()) found.sort((a, b) => GRAVEST.indexOf(a.severity) - GRAVEST.indexOf(b.severity));
    this.dispatchEvent(new Event("change"));
  }

  /** Take on what is open of a thing; returns a sentence that says what came of it. */
  async acknowledge(thing) {
    const open = this.of(thing).filter((alert) => alert.state === "open");
    if (!open.length) return gettext("No open alert to acknowledge.");
    const answers = await Promise.all(open.map((alert) =>
      fetch(`/v1/alerts/${alert.id}/acknowledge`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": this.csrf },
        body: "{}",
      }).catch(() => null)));
    await this.#load().catch(() => {});
    if (!answers.every((answer) => answer?.ok)) return gettext("The alert could not be acknowledged.");
    return interpolate(ngettext("%(n)s alert acknowledged", "%(n)s alerts acknowledged", open.length), { n: open.length });
  }
}
