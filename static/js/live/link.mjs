// The connection, said honestly: how late what is seen is, or since when it is of the past.
import { element, fixed, moment } from "outrider/format";
import { gettext, interpolate } from "outrider/words";

export class Link {
  constructor(pulse, banner, fleet, { onRetry }) {
    this.pulse = pulse;
    this.banner = banner;
    this.fleet = fleet;
    this.onRetry = onRetry;
    this.state = "connecting";
    this.wasLive = false;
    pulse.addEventListener("click", onRetry);
  }

  get lost() {
    return this.state === "lost" && this.fleet.things.size > 0;
  }

  /** "connecting", "live" or "lost"; to try again is still to be without. */
  set(state) {
    if (state === "live") this.wasLive = true;
    this.state = state === "connecting" && this.wasLive ? "lost" : state;
    this.banner.hidden = !this.lost;
    if (this.lost && !this.banner.childElementCount) {
      const asOf = this.fleet.asOf();
      this.banner.replaceChildren(element("b", {}, gettext("Connection lost")),
        interpolate(gettext("Data as of %(time)s"), { time: asOf ? moment(asOf) : "–" }),
        element("button", { type: "button", class: "button", onclick: this.onRetry }, gettext("Try now")));
    } else if (!this.lost) {
      this.banner.replaceChildren();
    }
  }

  draw(past) {
    const lag = this.fleet.lag();
    const texts = {
      live: lag == null ? gettext("Live") : interpolate(gettext("Live · %(lag)s s"), { lag: fixed(lag, lag < 10 ? 1 : 0) }),
      lost: gettext("Not connected"),
      connecting: gettext("Connecting"),
      past: gettext("Not live"),
    };
    const state = past ? "past" : this.state;
    if (this.pulse.dataset.state !== state) {
      this.pulse.dataset.state = state;
      this.pulse.title = {
        live: gettext("From the device's clock to this screen: the middle of the last readings."),
        past: gettext("The map shows a past moment."),
      }[state] ?? gettext("Click to try again now");
    }
    const label = this.pulse.lastElementChild;
    if (label.textContent !== texts[state]) label.textContent = texts[state];
  }
}
