// The live socket: subscribes, acknowledges, notices silence, comes back with jitter.

const SILENT_MS = 15000; // three heartbeats
const LONGEST_WAIT_MS = 20000;

export class LiveSocket {
  /** @param handlers {snapshot, update, left, state, alert} */
  constructor(path, handlers) {
    this.address = new URL(path, location.href);
    this.address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.handlers = handlers;
    this.failures = 0;
  }

  /** @param early {socket, heard}: a connection that was begun before, and what came of it. */
  open(early = null) {
    clearTimeout(this.retry);
    this.handlers.state("connecting");
    const socket = early?.socket ?? new WebSocket(this.address);
    this.socket = socket;
    this.beats = 0;
    this.#watch();
    socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", fleets: "all" }));
    socket.onmessage = ({ data }) => {
      this.#watch();
      this.failures = 0;
      this.#take(JSON.parse(data));
    };
    socket.onclose = ({ code }) => this.#closed(socket, code);
    for (const event of early?.heard ?? []) socket[`on${event.type}`](event);
  }

  /** Come back at once: the network returned, or a person asked for it. */
  hurry() {
    if (this.socket?.readyState === WebSocket.CLOSED) this.open();
  }

  #take(message) {
    if (message.type === "snapshot") this.handlers.snapshot(message);
    else if (message.type === "telemetry.update") this.handlers.update(message);
    else if (message.type === "left") this.handlers.left(message.room);
    else if (message.type.startsWith("alert.")) {
      this.handlers.alert?.(message.alert);
      document.dispatchEvent(new CustomEvent("outrider:alert", { detail: message }));
    }
    // Live is who knows what is true: the first beat comes before any snapshot does, the
    // second alone where there is no fleet to tell of.
    if (message.type === "heartbeat") this.beats++;
    if (message.part === message.parts && message.parts) this.beats = 2;
    if (this.beats >= 2) this.handlers.state("live");
    if (message.message) this.#acknowledge(message.message, message.type === "snapshot");
  }

  // Acknowledged when drawn: a browser that cannot keep up is then sent merged updates. The
  // parts of a snapshot only when taken in: nothing is merged while they are on their way.
  #acknowledge(number, atOnce) {
    this.drawn = number;
    if (atOnce) {
      this.socket.send(JSON.stringify({ type: "ack", message: number }));
      return;
    }
    if (this.acknowledging) return;
    this.acknowledging = true;
    let sent = false;
    const send = () => {
      if (sent) return;
      sent = true;
      this.acknowledging = false;
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "ack", message: this.drawn }));
    };
    requestAnimationFrame(() => requestAnimationFrame(send));
    setTimeout(send, 1000); // A hidden page draws no frames.
  }

  // A connection that died without a word looks open: no heartbeat tells.
  #watch() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      const { socket } = this;
      socket.onclose = null;
      socket.close();
      this.#closed(socket, 1006);
    }, SILENT_MS);
  }

  async #closed(socket, code) {
    if (socket !== this.socket) return;
    clearTimeout(this.silence);
    this.acknowledging = false;
    this.failures++;
    this.handlers.state("lost");
    const limit = Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.failures);
    this.retry = setTimeout(() => this.open(), limit / 2 + (Math.random() * limit) / 2);
    // Refused at the handshake or sent away: perhaps nobody is logged in any more.
    if (code === 4401 || (code === 1006 && this.failures === 2)) {
      const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" }).catch(() => null);
      if (code === 4401 || answer?.type === "opaqueredirect") location.reload();
    }
  }
}
