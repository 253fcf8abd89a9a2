// On every page: the count in the navigation follows the live stream, and what opens is heard
// or shown where the reader asked for it. Of several tabs one speaks.

const SILENT_MS = 20000; // Four heartbeats.
const RANK = { low: 0, medium: 1, high: 2, critical: 3 };
const PITCH = { critical: 1320, high: 1100, medium: 880, low: 660 };
const link = document.querySelector("[data-alert-counts]");

export const wanted = {
  get sound() {
    return localStorage.getItem("alerts.sound") ?? "";
  },
  set sound(level) {
    localStorage.setItem("alerts.sound", level);
  },
  get notify() {
    return localStorage.getItem("alerts.notify") === "on" && globalThis.Notification?.permission === "granted";
  },
  set notify(on) {
    localStorage.setItem("alerts.notify", on ? "on" : "off");
  },
};

let audio;
/** A short tone: the graver, the higher; what is critical is said twice. */
export function sound(severity) {
  audio ??= new AudioContext();
  audio.resume();
  for (let nth = 0; nth < (severity === "critical" ? 2 : 1); nth++) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    const start = audio.currentTime + nth * 0.32;
    tone.frequency.value = PITCH[severity];
    volume.gain.setValueAtTime(0.1, start);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.28);
    tone.connect(volume).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 0.3);
  }
}

let speaks = !navigator.locks;
navigator.locks?.request("outrider.alerts", () => {
  speaks = true;
  return new Promise(() => {});
});

function heard({ type, alert }) {
  if (type !== "alert.opened" || alert.late || !speaks) return;
  const { sound: level } = wanted;
  if (level && RANK[alert.severity] >= RANK[level]) sound(alert.severity);
  if (!wanted.notify) return;
  const shown = new Notification(alert.title, { body: alert.subject, tag: alert.id });
  shown.onclick = () => {
    window.focus();
    location.assign(`${link.getAttribute("href")}/${alert.id}`);
  };
}

export function showCount(open) {
  const badge = link?.querySelector(".rail__count");
  if (!badge) return;
  badge.hidden = !open;
  badge.querySelector("[data-open]").textContent = open > 99 ? "99+" : String(open);
}

let counting;
function recount() {
  // A burst of events asks once.
  counting ??= setTimeout(async () => {
    const answer = await fetch(link.dataset.alertCounts, { headers: { Accept: "application/json" } }).catch(() => null);
    counting = undefined;
    if (answer?.ok && !answer.redirected) showCount((await answer.json()).open);
  }, 400);
}

document.addEventListener("outrider:alert", ({ detail }) => {
  recount();
  heard(detail);
});

let failures = 0;
function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/telemetry`);
  let silence;
  const watch = () => {
    clearTimeout(silence);
    silence = setTimeout(() => socket.close(), SILENT_MS);
  };
  const told = (state) => document.dispatchEvent(new CustomEvent("outrider:alerts-state", { detail: state }));
  socket.onopen = () => {
    watch();
    told("live");
    if (failures) recount(); // What happened while nobody listened.
    failures = 0;
  };
  socket.onmessage = ({ data }) => {
    watch();
    const message = JSON.parse(data);
    if (message.type.startsWith("alert.")) document.dispatchEvent(new CustomEvent("outrider:alert", { detail: message }));
  };
  socket.onclose = () => {
    clearTimeout(silence);
    told("lost");
    failures++;
    const limit = Math.min(30000, 500 * 2 ** failures);
    setTimeout(connect, limit / 2 + (Math.random() * limit) / 2);
  };
}
// The live page has a socket of its own, which hands on what it hears about alerts.
if (link && !document.getElementById("pulse")) connect();
