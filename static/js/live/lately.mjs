// What the selected vehicle did before it was selected: its last hour and its day, asked of the
// server once; what it says from then on is added here.

const AGAIN_MS = 120_000;
const HOUR_US = 3600e6;
const TAILED = ["speed_kmh", "soc_pct", "battery_temp_c", "fuel_pct", "range_km"];
const xOf = (lon) => (lon + 180) / 360;
const yOf = (lat) => 0.5 - Math.log(Math.tan(Math.PI / 4 + (Math.max(-85, Math.min(85, lat)) * Math.PI) / 360)) / (2 * Math.PI);

export class Lately extends EventTarget {
  constructor(address) {
    super();
    this.address = address;
    this.clear();
  }

  clear() {
    this.key = null;
    /** [microseconds, x, y, km/h or null] */
    this.way = [];
    /** field → [[microseconds, value]] */
    this.sparks = {};
    this.today = null;
    this.failed = false;
  }

  /** Be about this one. */
  async about(thing) {
    if (this.key !== thing.key) {
      this.clear();
      this.key = thing.key;
    } else if (performance.now() - this.askedAt < AGAIN_MS) {
      return;
    }
    this.askedAt = performance.now();
    const answer = await fetch(this.address.replace("0id0", encodeURIComponent(thing.id))).catch(() => null);
    if (this.key !== thing.key) return;
    this.failed = !answer?.ok;
    if (!this.failed) this.#take(await answer.json());
    this.dispatchEvent(new Event("change"));
  }

  #take({ way, sparks, today }) {
    const known = way.at(-1)?.[0] * 1000 || 0;
    const tail = this.way.filter(([time]) => time > known);
    this.way = [...way.map(([ms, lon, lat, speed]) => [ms * 1000, xOf(lon), yOf(lat), speed]), ...tail];
    this.sparks = Object.fromEntries(Object.entries(sparks).map(([name, [times, values]]) => [name, times.map((ms, i) => [ms * 1000, values[i]])]));
    this.today = today;
  }

  /** The live tail: what has just come. */
  add(thing) {
    const { state } = thing;
    if (this.key !== thing.key || !state || thing.x == null) return;
    if (state.time_us > (this.way.at(-1)?.[0] ?? 0) && !("lat" in state.older)) {
      this.way.push([state.time_us, thing.x, thing.y, state.values.speed_kmh ?? null]);
    }
    for (const name of TAILED) {
      const value = state.values[name];
      if (typeof value !== "number" || name in state.older) continue;
      const points = (this.sparks[name] ??= []);
      if (state.time_us > (points.at(-1)?.[0] ?? 0)) points.push([state.time_us, value]);
    }
    const oldest = state.time_us - HOUR_US;
    for (const points of [this.way, ...Object.values(this.sparks)]) while (points.length && points[0][0] < oldest) points.shift();
  }
}
