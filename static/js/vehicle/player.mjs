// Playback in real time, faster if wanted; silence takes its time, hatched on the track.
import { colour } from "outrider/live/basemap";
import { hatch } from "outrider/vehicle/ground";
import { gettext } from "outrider/words";

const MARKS = { critical: "critical", warning: "warning", late: "accent" };

export class Player {
  constructor(box, clock, moment) {
    Object.assign(this, { box, clock, moment });
    this.button = box.querySelector("#play");
    this.scrubber = box.querySelector("#scrubber");
    this.strip = box.querySelector("#strip");
    this.speed = 20;
    this.button.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    this.scrubber.addEventListener("input", () => this.moment.set(this.data.start + Number(this.scrubber.value) * 1000, "player"));
    for (const each of box.querySelectorAll("[data-speed]")) each.addEventListener("click", () => this.#atSpeed(each));
    moment.addEventListener("change", () => this.#follow());
    document.addEventListener("theme-changed", () => this.#drawStrip());
    new ResizeObserver(() => this.#drawStrip()).observe(this.strip);
    document.addEventListener("keydown", (event) => {
      if (event.key !== " " || event.target.closest("input, button, a, select, textarea, summary")) return;
      event.preventDefault();
      this.button.click();
    });
  }

  show(data) {
    this.data = data;
    this.scrubber.max = Math.max(1, Math.round((data.end - data.start) / 1000));
    this.box.querySelector("#end").textContent = this.#clock()(data.end);
    this.button.disabled = !data.readings;
    this.#drawStrip();
    this.#follow();
  }

  play() {
    const { start, end } = this.data;
    const at = this.moment.at;
    // At the end there is nothing left: from the beginning, where something is known.
    if (at == null || at >= end - 1000 || at < start) this.moment.set(start + (this.data.states[0]?.[0] ?? 0), "player");
    this.playing = true;
    this.#label();
    let before = performance.now();
    const step = (now) => {
      if (!this.playing) return;
      const next = Math.min(this.moment.at + (now - before) * this.speed, this.data.end);
      before = now;
      this.moment.set(next, "player");
      if (next >= this.data.end) return this.pause();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  pause() {
    this.playing = false;
    this.#label();
    this.box.dispatchEvent(new CustomEvent("rests"));
  }

  #label() {
    this.button.setAttribute("aria-label", this.playing ? gettext("Pause") : gettext("Play"));
    this.button.classList.toggle("is-playing", Boolean(this.playing));
  }

  #atSpeed(chosen) {
    this.speed = Number(chosen.dataset.speed);
    for (const each of this.box.querySelectorAll("[data-speed]")) each.setAttribute("aria-pressed", String(each === chosen));
  }

  #clock() {
    return this.data.end - this.data.start > 86_400_000 * 1.1 ? this.clock.full : this.clock.second;
  }

  #follow() {
    const { at } = this.moment;
    if (at == null || !this.data) return;
    const words = this.#clock()(at);
    this.box.querySelector("#now").textContent = words;
    this.scrubber.value = Math.round((at - this.data.start) / 1000);
    this.scrubber.setAttribute("aria-valuetext", words);
  }

  /** What it was doing, along the track, in the colours of the statuses. */
  #drawStrip() {
    if (!this.data) return;
    const width = (this.strip.width = this.strip.clientWidth * devicePixelRatio);
    const height = (this.strip.height = this.strip.clientHeight * devicePixelRatio);
    const ctx = this.strip.getContext("2d");
    const x = (offset) => (offset / (this.data.end - this.data.start)) * width;
    ctx.fillStyle = colour("well");
    ctx.fillRect(0, 0, width, height);
    for (const [from, to, status] of this.data.states) {
      ctx.fillStyle = colour(status);
      ctx.globalAlpha = status === "parked" ? 0.35 : 1;
      ctx.fillRect(x(from), 0, Math.max(x(to) - x(from), 1), height);
    }
    ctx.globalAlpha = 1;
    const ink = { well: colour("well"), "text-faint": colour("text-faint") };
    for (const { from, to } of this.data.gaps) hatch(ctx, x(from), 0, Math.max(x(to) - x(from), 1), height, ink);
    // Alerts, alarms and late readings stand out of the strip: the same that the list tells.
    for (const [at, tone] of this.data.marks) {
      if (!MARKS[tone]) continue;
      ctx.fillStyle = colour("panel");
      ctx.fillRect(x(at) - 2 * devicePixelRatio, 0, 4 * devicePixelRatio, height);
      ctx.fillStyle = colour(MARKS[tone]);
      ctx.fillRect(x(at) - devicePixelRatio, 0, 2 * devicePixelRatio, height);
    }
  }
}
