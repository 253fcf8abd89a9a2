// How long readings take from their arrival to this screen: measured here, on the live socket.
import { LiveSocket } from "outrider/live/socket";
import { gettext, interpolate } from "outrider/words";

const KEPT = 500;
const delays = [];

const nothing = () => {};
const socket = new LiveSocket("/telemetry", {
  snapshot: nothing,
  left: nothing,
  state: nothing,
  update: (message) => {
    const now = Date.now();
    for (const each of [...(message.vehicles ?? []), ...(message.meters ?? [])]) {
      if (each.received_us) delays.push(Math.max(0, now - each.received_us / 1000));
    }
    delays.splice(0, Math.max(0, delays.length - KEPT));
    show();
  },
});
socket.open();

function show() {
  const box = document.getElementById("latency");
  if (!box || !delays.length) return;
  const sorted = delays.toSorted((a, b) => a - b);
  const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
  const rest = document.createElement("small");
  rest.textContent = interpolate(gettext("ms · p99 %(n)s ms"), { n: at(0.99) });
  box.replaceChildren(`${at(0.5)} `, rest);
}
