// Status and attention, by the rule that the server sends (telemetry/status.py). Decided here
// again because age grows without a reading.

export const STATUSES = ["moving", "idle", "charging", "parked", "offline", "no_data"];
export const LABELS = { moving: "Moving", idle: "Idle", charging: "Charging", parked: "Parked", offline: "Offline", no_data: "No data" };
export const EXPLAINED = {
  moving: "Speed of at least 3 km/h",
  idle: "Standing with the ignition on",
  charging: "Standing and taking energy",
  parked: "Standing, ignition not on",
  offline: "Silent for longer than its limit: what it last said is no longer the present",
  no_data: "Has never sent a reading",
};

/** @param state a patch (docs/live-protocol.md) or null */
export function statusOf(state, silentAfterS, nowUs, rule) {
  if (!state) return "no_data";
  if (nowUs - Math.min(state.time_us, state.received_us) > silentAfterS * 1e6) return "offline";
  const values = state.values;
  if ((values.speed_kmh ?? 0) >= rule.moving_from_kmh) return "moving";
  if (values.charging) return "charging";
  return values.ignition ? "idle" : "parked";
}

/** What wants a person's eye, the gravest first: [{level: 2 critical | 1 warning, text, detail}] */
export function attentionOf(thing, nowUs, rule) {
  const { state, status } = thing;
  if (!state) return [];
  const found = [];
  const values = state.values;
  if (status === "offline") {
    const heardAgo = (nowUs - state.received_us) / 1e6;
    if (heardAgo <= thing.silentAfterS) {
      found.push({ level: 1, text: "Late data", detail: "It is sending, but readings of the past: a backlog, or a clock that is slow." });
    } else if (heardAgo < 86400) {
      found.push({ level: 1, text: "Silent", detail: "Nothing has come for longer than its limit." });
    }
    return found;
  }
  if (thing.kind !== "vehicle") return found;
  for (const alarm of values.alarms ?? []) found.push({ level: 2, text: alarm, detail: "Reported by the device." });
  if (values.soc_pct < rule.low_soc_pct && status !== "charging") {
    found.push({ level: 2, text: "SoC low", detail: `State of charge below ${rule.low_soc_pct} %, and not charging.` });
  }
  if (values.speed_kmh > rule.speeding_kmh) found.push({ level: 2, text: "Speeding", detail: `Above ${rule.speeding_kmh} km/h.` });
  if (values.battery_temp_c > rule.hot_battery_c) found.push({ level: 1, text: "Hot battery", detail: `Battery above ${rule.hot_battery_c} °C.` });
  if (values.invalid?.includes("position")) found.push({ level: 1, text: "No fix", detail: "The device has no valid position; the last one that was is shown." });
  return found.sort((a, b) => b.level - a.level);
}
