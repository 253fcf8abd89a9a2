// What is looked at, kept in the address: a link shows the same to whoever may see it.

const DEFAULTS = { kind: "vehicle", status: "", sort: "attention", fleet: "", find: "", selected: "", moment: "", wall: "" };
// Under these names in the address, where it is not the same.
const WRITTEN = { moment: "at" };

export class View extends EventTarget {
  constructor() {
    super();
    this.#read();
    addEventListener("popstate", () => {
      this.#read();
      this.dispatchEvent(new Event("change"));
    });
  }

  /** Change something; `asStep` makes it a step that the back button takes back. */
  set(changes, asStep = false) {
    if (Object.entries(changes).every(([name, value]) => this[name] === value)) return;
    Object.assign(this, changes);
    this.#write(asStep);
    this.dispatchEvent(new Event("change"));
  }

  /** Look at what another address says. */
  open(query) {
    history.pushState(null, "", `?${query}`);
    this.#read();
    this.dispatchEvent(new Event("change"));
    if (this.at) this.dispatchEvent(new Event("moved"));
  }

  /** Where the map stands; nobody needs to be told. */
  setMap(center, zoom) {
    this.at = { lon: +center.lng.toFixed(5), lat: +center.lat.toFixed(5), zoom: +zoom.toFixed(2) };
    this.#write(false);
  }

  #read() {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(DEFAULTS)) this[name] = query.get(WRITTEN[name] ?? name) ?? value;
    const [lon, lat, zoom] = (query.get("map") ?? "").split(",").map(Number);
    const usable = [lon, lat, zoom].every(Number.isFinite) && Math.abs(lat) <= 85 && Math.abs(lon) <= 180;
    this.at = usable ? { lon, lat, zoom } : null;
  }

  #write(asStep) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(DEFAULTS)) if (this[name] !== value) query.set(WRITTEN[name] ?? name, this[name]);
    if (this.at) query.set("map", `${this.at.lon},${this.at.lat},${this.at.zoom}`);
    const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
    const address = text ? `?${text}` : location.pathname;
    history[asStep ? "pushState" : "replaceState"](null, "", address);
  }
}
