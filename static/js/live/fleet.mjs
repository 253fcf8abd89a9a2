// What is known of every vehicle and meter: snapshots and updates in, things out.
import { merged } from "outrider/live/merge";
import { statusOf } from "outrider/live/rule";
import { attentionOf } from "outrider/live/status";

const TRAIL_S = 600;
const TRAIL_POINTS = 240;
// Among many, lines would hide the map, and what is kept must not grow while the page is open.
const MANY = 500;
const TRAIL_POINTS_OF_MANY = 6;
const ROUND = 10;
const SILENT = new Set(["no_data", "offline"]);

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
    /** Whom a message has told something new of, until `changed` is asked. */
    this.fresh = new Set();
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
  }

  takeUpdate(message) {
    this.clock.hear(message.server_time_us);
    const now = this.clock.now();
    for (const [kind, patches] of [["vehicle", message.vehicles], ["meter", message.meters]]) {
      for (const patch of patches) {
        const thing = this.things.get(`${kind}:${patch.id}`);
        if (!thing) continue;
        this.#advance(thing, merged(thing.state, patch), true);
        this.fresh.add(thing.key);
        const lag = (now - patch.time_us) / 1e6;
        if (lag > -2 && lag < 60) this.lags.push(Math.max(0, lag));
      }
    }
    if (this.lags.length > 60) this.lags.splice(0, this.lags.length - 60);
  }

  /** Is there news of this one since this was last asked? */
  changed(key) {
    const news = this.fresh.has(key);
    this.fresh.clear();
    return news;
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
  }

  /** Status and attention again, for time has passed: of a tenth of all at a time. */
  reconsider() {
    const now = this.clock.now();
    for (let left = Math.ceil(this.things.size / ROUND); left > 0; left--) {
      const { value: thing, done } = (this.round ??= this.things.values()).next();
      if (done) {
        this.round = null;
        return;
      }
      this.#reconsider(thing, now);
    }
  }

  /** Since when these do what they do: {id: [microseconds, at least]}. */
  takeSince(found) {
    for (const [id, [us, atLeast]] of Object.entries(found)) {
      const thing = this.things.get(`vehicle:${id}`);
      if (thing && thing.since == null) [thing.since, thing.sinceAtLeast] = [us, atLeast];
    }
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

  /** The same thing with another state: for a fleet of the past. */
  copy({ key, kind, id, name, sortKey, rank, plate, type, silentAfterS, fleet, room }, state) {
    const thing = { key, kind, id, name, sortKey, rank, plate, type, silentAfterS, fleet, room, state: null, x: null, y: null, shown: null, trail: [] };
    this.things.set(key, thing);
    if (state) this.#advance(thing, state);
    else this.#reconsider(thing, this.clock.now());
  }

  #describe(kind, entry, room) {
    const key = `${kind}:${entry.id}`;
    let thing = this.things.get(key);
    if (!thing) {
      thing = { key, kind, id: entry.id, state: null, x: null, y: null, shown: null, trail: [], rank: Infinity };
      this.things.set(key, thing);
    }
    const name = entry.name || entry.id;
    if (thing.name !== name) [thing.name, thing.sortKey] = [name, null];
    thing.plate = entry.plate ?? "";
    thing.type = entry.kind ?? "";
    thing.silentAfterS = entry.silent_after_s;
    thing.room = room;
    thing.fleet = this.fleets.get(room);
    if (entry.state) this.#advance(thing, merged(thing.state, entry.state));
    else this.#reconsider(thing, this.clock.now());
    return thing;
  }

  #advance(thing, state, asEvent = false) {
    thing.state = state;
    thing.search = null;
    // Shown sooner than it was stored, it could not yet be told since when: ask again.
    if (thing.since == null) thing.sinceAsked = false;
    const { lat, lon } = state.values;
    if (lat != null && lon != null) this.#move(thing, mercatorX(lon), mercatorY(lat), state);
    this.#reconsider(thing, this.clock.now(), asEvent);
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
    const most = this.things.size > MANY ? TRAIL_POINTS_OF_MANY : TRAIL_POINTS;
    while (thing.trail.length > most || thing.trail[0][0] < oldest) thing.trail.shift();
  }

  #reconsider(thing, now, asEvent = false) {
    const status = statusOf(thing.state, thing.silentAfterS, now, this.rule);
    if (status !== thing.status) {
      // Seen to change: since then. Else, and after a silence, since when is the server's to know.
      const seen = asEvent && thing.status && !SILENT.has(thing.status);
      thing.since = seen ? thing.state.time_us : null;
      thing.sinceAtLeast = thing.sinceAsked = false;
      thing.status = status;
    }
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
