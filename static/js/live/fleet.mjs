// What is known of every vehicle and meter: snapshots and updates in, things out.
import { merged } from "outrider/live/merge";
import { attentionOf, statusOf } from "outrider/live/status";

const TRAIL_S = 600;
const TRAIL_POINTS = 240;
const HISTORY_POINTS = 90;
export const SPARK_FIELDS = ["speed_kmh", "soc_pct", "battery_temp_c", "power_kw", "voltage_v", "current_a"];

const mercatorX = (lon) => (lon + 180) / 360;
const mercatorY = (lat) => {
  const bounded = Math.max(-85.0511, Math.min(85.0511, lat));
  return 0.5 - Math.log(Math.tan(Math.PI / 4 + (bounded * Math.PI) / 360)) / (2 * Math.PI);
};

export class Fleet {
  constructor() {
    /** "vehicle:V1" → thing */
    this.things = new Map();
    this.fleets = new Map();
    this.rule = { moving_from_kmh: 3, low_soc_pct: 15, hot_battery_c: 60, speeding_kmh: 120 };
    this.clock = new ServerClock();
    this.lags = [];
    this.complete = new Set();
    this.arriving = new Map();
    this.version = 0;
  }

  takeSnapshot(message) {
    this.rule = message.rule;
    this.clock.hear(message.server_time_us);
    this.fleets.set(message.room, message.fleet);
    if (message.part === 1) this.arriving.set(message.room, new Set());
    const seen = this.arriving.get(message.room) ?? new Set();
    for (const [kind, entries] of [["vehicle", message.vehicles], ["meter", message.meters]]) {
      for (const entry of entries) seen.add(this.#describe(kind, entry, message.room).key);
    }
    if (message.part === message.parts) {
      for (const thing of this.things.values()) {
        if (thing.room === message.room && !seen.has(thing.key)) this.things.delete(thing.key);
      }
      this.arriving.delete(message.room);
      this.complete.add(message.room);
    }
    this.version++;
  }

  takeUpdate(message) {
    this.clock.hear(message.server_time_us);
    const now = this.clock.now();
    for (const [kind, patches] of [["vehicle", message.vehicles], ["meter", message.meters]]) {
      for (const patch of patches) {
        const thing = this.things.get(`${kind}:${patch.id}`);
        if (!thing) continue;
        this.#advance(thing, merged(thing.state, patch));
        const lag = (now - patch.time_us) / 1e6;
        if (lag > -2 && lag < 60) this.lags.push(Math.max(0, lag));
      }
    }
    if (this.lags.length > 60) this.lags.splice(0, this.lags.length - 60);
    this.version++;
  }

  /** Where vehicles were before this page was opened: {reference: [[time_us, lon, lat]]}. */
  takeTrails(trails) {
    for (const [id, points] of Object.entries(trails)) {
      const thing = this.things.get(`vehicle:${id}`);
      if (!thing) continue;
      const known = thing.trail[0]?.[0] ?? Infinity;
      const before = points.filter(([time]) => time < known).map(([time, lon, lat]) => [time, mercatorX(lon), mercatorY(lat)]);
      thing.trail = [...before, ...thing.trail].slice(-TRAIL_POINTS);
    }
  }

  leave(room) {
    for (const thing of this.things.values()) if (thing.room === room) this.things.delete(thing.key);
    this.fleets.delete(room);
    this.complete.delete(room);
    this.version++;
  }

  /** Status and attention again, for time has passed. */
  reconsider() {
    const now = this.clock.now();
    for (const thing of this.things.values()) this.#reconsider(thing, now);
  }

  /** Seconds from the device's clock to this screen, in the middle of the last readings. */
  lag() {
    if (!this.lags.length) return null;
    return this.lags.toSorted((a, b) => a - b)[this.lags.length >> 1];
  }

  /** The newest moment that anything here is of. */
  asOf() {
    let newest = 0;
    for (const { state } of this.things.values()) newest = Math.max(newest, state?.received_us ?? 0);
    return newest || null;
  }

  #describe(kind, entry, room) {
    const key = `${kind}:${entry.id}`;
    let thing = this.things.get(key);
    if (!thing) {
      thing = { key, kind, id: entry.id, state: null, x: null, y: null, shown: null, trail: [], history: {} };
      this.things.set(key, thing);
    }
    thing.name = entry.name || entry.id;
    thing.plate = entry.plate ?? "";
    thing.type = entry.kind ?? "";
    thing.silentAfterS = entry.silent_after_s;
    thing.room = room;
    thing.fleet = this.fleets.get(room);
    if (entry.state) this.#advance(thing, merged(thing.state, entry.state));
    else this.#reconsider(thing, this.clock.now());
    return thing;
  }

  #advance(thing, state) {
    const isNewer = !thing.state || state.time_us > thing.state.time_us;
    thing.state = state;
    thing.search = null;
    const { lat, lon } = state.values;
    if (lat != null && lon != null) this.#move(thing, mercatorX(lon), mercatorY(lat), state);
    if (isNewer) {
      for (const name of SPARK_FIELDS) {
        const value = state.values[name];
        if (typeof value !== "number" || name in state.older) continue;
        const points = (thing.history[name] ??= []);
        points.push([state.time_us, value]);
        if (points.length > HISTORY_POINTS) points.shift();
      }
    }
    this.#reconsider(thing, this.clock.now());
  }

  #move(thing, x, y, state) {
    if (thing.x === x && thing.y === y) {
      thing.movedAt ??= state.time_us;
      return;
    }
    thing.gapS = thing.positionAt ? (state.time_us - thing.positionAt) / 1e6 : 0;
    thing.positionAt = state.time_us;
    thing.x = x;
    thing.y = y;
    thing.retarget = true;
    thing.trail.push([state.time_us, x, y]);
    const oldest = state.time_us - TRAIL_S * 1e6;
    while (thing.trail.length > TRAIL_POINTS || thing.trail[0][0] < oldest) thing.trail.shift();
  }

  #reconsider(thing, now) {
    const status = statusOf(thing.state, thing.silentAfterS, now, this.rule);
    if (status !== thing.status) thing.status = status;
    thing.attention = attentionOf(thing, now, this.rule);
    thing.level = thing.attention[0]?.level ?? 0;
  }
}

/** The server's clock as far as it can be told from here: the quickest message is right. */
class ServerClock {
  constructor() {
    this.offsets = [];
  }

  hear(serverUs) {
    this.offsets.push(serverUs - Date.now() * 1000);
    if (this.offsets.length > 50) this.offsets.shift();
    this.offset = Math.max(...this.offsets);
  }

  now() {
    return Date.now() * 1000 + (this.offset ?? 0);
  }
}
