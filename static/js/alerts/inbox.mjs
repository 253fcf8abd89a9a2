// The inbox follows the live stream: on any event it asks for its list anew.
const list = document.getElementById("alerts");
const sound = document.getElementById("sound");
const notify = document.getElementById("notify");
const all = document.getElementById("all");

for (const select of document.querySelectorAll(".inbox__filter [data-submits]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
all?.addEventListener("change", () => {
  for (const box of list.querySelectorAll("input[name=alert]")) box.checked = all.checked;
});

function remembered(button, key, mayTurnOn) {
  const show = (on) => button.setAttribute("aria-pressed", String(on));
  show(localStorage.getItem(key) === "on");
  button.addEventListener("click", async () => {
    const on = button.getAttribute("aria-pressed") !== "true" && (await mayTurnOn());
    localStorage.setItem(key, on ? "on" : "off");
    show(on);
  });
}
remembered(sound, "alerts.sound", async () => (beep(0.02), true));
remembered(notify, "alerts.notify", async () =>
  "Notification" in window && (await Notification.requestPermission()) === "granted");

const isOn = (button) => button.getAttribute("aria-pressed") === "true";

let audio;
function beep(seconds = 0.25, pitch = 880) {
  audio ??= new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = pitch;
  volume.gain.value = 0.08;
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + seconds);
}

let asking = false;
let again = false;
async function refresh() {
  // One question at a time: a burst of events asks once more at its end.
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  try {
    const ticked = new Set([...list.querySelectorAll("input:checked")].map((box) => box.value));
    const address = new URL(location.href);
    address.searchParams.set("part", "1");
    const answer = await fetch(address, { headers: { "X-Requested-With": "fetch" } });
    if (answer.ok && !answer.redirected) {
      list.innerHTML = await answer.text();
      for (const box of list.querySelectorAll("input[name=alert]")) box.checked = ticked.has(box.value);
    }
  } finally {
    asking = false;
    if (again) {
      again = false;
      setTimeout(refresh, 500);
    }
  }
}

const PITCH = { critical: 1320, high: 1100, medium: 880, low: 660 };
function heard(message) {
  if (!message.type.startsWith("alert.")) return;
  refresh();
  if (message.type !== "alert.opened" || message.alert.late) return;
  if (isOn(sound)) beep(0.3, PITCH[message.alert.severity]);
  if (isOn(notify)) {
    new Notification(message.alert.title, { body: message.alert.subject, tag: message.alert.id });
  }
}

let pause = 1000;
function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/telemetry`);
  socket.addEventListener("open", () => {
    pause = 1000;
    refresh(); // what happened while nobody listened
  });
  socket.addEventListener("message", (event) => heard(JSON.parse(event.data)));
  socket.addEventListener("close", () => {
    setTimeout(connect, pause * (0.5 + Math.random()));
    pause = Math.min(pause * 2, 30000);
  });
}
connect();
