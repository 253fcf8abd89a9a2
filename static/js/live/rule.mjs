// What a vehicle is doing, by the rule that the server sends (telemetry/status.py). Decided here
// again because age grows without a reading.

/** @param state a patch (docs/live-protocol.md) or null */
export function statusOf(state, silentAfterS, nowUs, rule) {
  if (!state) return "no_data";
  if (nowUs - Math.min(state.time_us, state.received_us) > silentAfterS * 1e6) return "offline";
  const values = state.values;
  if ((values.speed_kmh ?? 0) >= rule.moving_from_kmh) return "moving";
  if (values.charging) return "charging";
  return values.ignition ? "idle" : "parked";
}
