// What the live stream does not tell, as it is history: trails, and since when a status lasts.
const ONCE = 60;

export class GoneBy {
  /** @param onNews called when something came */
  constructor(addresses, live, onNews) {
    Object.assign(this, { addresses, live, onNews });
    // Not before the fleet is drawn: of ten thousand vehicles they are more than the page. Again
    // after every return: what was driven in between is in history.
    this.trailsDue = false;
    this.trailsFor = null;
  }

  /** Of the last minutes, where they are due and the map shows them. */
  async fetchTrails(map) {
    if (!this.trailsDue || !map?.symbols.hasTrails) return;
    this.trailsDue = false;
    const wanted = (this.trailsFor = Symbol("trails"));
    const answer = await fetch(this.addresses.trails).catch(() => null);
    if (!answer?.ok || wanted !== this.trailsFor) return;
    this.live.takeTrails((await answer.json()).trails);
    this.onNews();
  }

  /** Since when they do what they do: asked once of each. */
  async fetchSince(things) {
    const unknown = things.filter((thing) => thing.kind === "vehicle" && thing.since == null && !thing.sinceAsked && thing.state);
    if (!unknown.length) return;
    const query = new URLSearchParams();
    for (const thing of unknown.slice(0, ONCE)) {
      thing.sinceAsked = true;
      query.append("of", `${thing.status}:${thing.id}`);
    }
    const answer = await fetch(`${this.addresses.since}?${query}`).catch(() => null);
    if (!answer?.ok) return;
    this.live.takeSince((await answer.json()).since);
    this.onNews();
  }
}
