// The moment that is looked at: charts, map and scrubber all follow this one.
import { msAhead } from "outrider/format";

export class Moment extends EventTarget {
  /** Unix milliseconds, null: none. `from` says who moved it, so that nobody answers itself. */
  constructor() {
    super();
    this.at = null;
  }

  set(at, from = null) {
    this.at = at;
    this.from = from;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * Clocks on the wall of the organisation. Its offsets from UTC come with the data: the zones
 * that a browser knows may be years older than the server's.
 */
export class Clocks {
  constructor() {
    const made = (options) => {
      const format = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
      return (ms) => format.format(this.wall(ms));
    };
    this.second = made({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
    this.minute = made({ hour: "2-digit", minute: "2-digit" });
    this.day = made({ day: "numeric", month: "short" });
    this.full = made({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    this.offsets = [[0, 0]];
  }

  /** `offsets`: [since when, seconds from UTC], the former in Unix milliseconds. */
  set(offsets) {
    this.offsets = offsets;
  }

  /** A moment as if the wall clock showed UTC. */
  wall(ms) {
    return ms + msAhead(this.offsets, ms);
  }
}

/** The gap that a moment lies in, the end of what is shown included; undefined: none. */
export function silenceAt(data, at) {
  const offset = at - data.start;
  return data.gaps.find((gap) => gap.from < offset && (gap.to > offset || gap.to >= data.end - data.start));
}

/** Place of the last value of a sorted list that is not greater; -1: all are. */
export function before(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
