// The words for what a vehicle is doing, and what of it wants a person's eye.
import { gettext, interpolate } from "outrider/words";

export const STATUSES = ["moving", "idle", "charging", "parked", "offline", "no_data"];
export const LABELS = {
  moving: gettext("Moving"),
  idle: gettext("Idle"),
  charging: gettext("Charging"),
  parked: gettext("Parked"),
  offline: gettext("Offline"),
  no_data: gettext("No data"),
};
export const EXPLAINED = {
  moving: gettext("Speed of at least 3 km/h"),
  idle: gettext("Standing with the ignition on"),
  charging: gettext("Standing and taking energy"),
  parked: gettext("Standing, ignition not on"),
  offline: gettext("Silent for longer than its limit: what it last said is no longer the present"),
  no_data: gettext("Has never sent a reading"),
};

const NOTHING = [];

/** What wants a person's eye, the gravest first: [{level: 2 critical | 1 warning, text, detail}] */
export function attentionOf(thing, nowUs, rule) {
  const { state, status } = thing;
  if (!state) return NOTHING;
  const found = [];
  const values = state.values;
  if (status === "offline") {
    const heardAgo = (nowUs - state.received_us) / 1e6;
    if (heardAgo <= thing.silentAfterS) {
      found.push({ level: 1, text: gettext("Late data"), detail: gettext("It is sending, but readings of the past: a backlog, or a clock that is slow.") });
    } else if (heardAgo < 86400) {
      found.push({ level: 1, text: gettext("Silent"), detail: gettext("Nothing has come for longer than its limit.") });
    }
    return found;
  }
  if (thing.kind !== "vehicle") return found;
  for (const alarm of values.alarms ?? []) found.push({ level: 2, text: alarm, detail: gettext("Reported by the device.") });
  if (values.soc_pct < rule.low_soc_pct && status !== "charging") {
    found.push({ level: 2, text: gettext("SoC low"), detail: interpolate(gettext("State of charge below %(low_soc_pct)s %, and not charging."), rule) });
  }
  if (values.speed_kmh > rule.speeding_kmh) found.push({ level: 2, text: gettext("Speeding"), detail: interpolate(gettext("Above %(speeding_kmh)s km/h."), rule) });
  if (values.battery_temp_c > rule.hot_battery_c) found.push({ level: 1, text: gettext("Hot battery"), detail: interpolate(gettext("Battery above %(hot_battery_c)s °C."), rule) });
  if (values.invalid?.includes("position")) found.push({ level: 1, text: gettext("No fix"), detail: gettext("The device has no valid position; the last one that was is shown.") });
  return found.length > 1 ? found.sort((a, b) => b.level - a.level) : found;
}
