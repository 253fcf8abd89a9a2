// What stands on the map many times over is drawn once, as an image, and then copied: where no
// graphics card draws, copying costs a twentieth of drawing it anew.
import { SHAPES } from "outrider/live/marks";

const MOST = 600; // Rings say how many: there are ever new ones.
const FULL_TURN = 2 * Math.PI;
/** What is turned is copied from twice the size: it stays sharp. */
const SHARP = 2;

export class Sprites {
  /** @param pixels device pixels for one of the canvas's own */
  constructor(colours, pixels) {
    this.colours = colours;
    this.pixels = pixels;
    this.images = new Map();
  }

  /** Copy one with its middle to there, on whole device pixels. */
  stand(c, { image, side }, x, y) {
    const { pixels } = this;
    const snapped = (at) => Math.round((at - side / 2) * pixels) / pixels;
    c.drawImage(image, snapped(x), snapped(y), side, side);
  }

  /** Copy one with its middle to there, turned clockwise. */
  turn(c, { image, side }, x, y, degrees) {
    const { pixels } = this;
    const cos = pixels * Math.cos((degrees * Math.PI) / 180);
    const sin = pixels * Math.sin((degrees * Math.PI) / 180);
    c.setTransform(cos, sin, -sin, cos, x * pixels, y * pixels);
    c.drawImage(image, -side / 2, -side / 2, side, side);
    c.setTransform(pixels, 0, 0, pixels, 0, 0);
  }

  symbol(shape, status, size) {
    const wide = shape === "moving" ? size : size * 0.8;
    return this.#made(`${shape}/${status}/${size}`, wide + 4, shape === "moving" ? SHARP : 1, (c) => {
      c.scale(wide / 24, wide / 24);
      c.translate(-12, -12);
      const { path, filled, dashed } = SHAPES[shape];
      const outline = new Path2D(path);
      c.lineJoin = "round";
      c.lineWidth = filled ? 5 : 3.6;
      c.strokeStyle = filled ? this.colours.panel : this.colours[status];
      c.fillStyle = filled ? this.colours[status] : this.colours.panel;
      if (dashed) c.setLineDash([4, 3]);
      // The rim of a filled one lies under it, the line of a hollow one over it.
      if (filled) c.stroke(outline);
      c.fill(outline);
      if (!filled) c.stroke(outline);
    });
  }

  /** That something is wrong: 1 worth a look, 2 urgent. */
  dot(level) {
    return this.#made(`dot/${level}`, 11, 1, (c) => dot(c, 0, 0, level, this.colours));
  }

  /** A ring with a number in it, cut into `parts`: [[colour, how many]]. */
  ring(radius, parts, count, text, level) {
    const name = `${radius}/${parts.join()}/${text}/${level}`;
    return this.#made(name, 2 * radius + 12, 1, (c) => {
      circle(c, 0, 0, radius + 2.5);
      c.fillStyle = this.colours.panel;
      c.fill();
      c.lineWidth = 4;
      let from = -FULL_TURN / 4;
      for (const [colour, many] of parts) {
        const to = from + (many / count) * FULL_TURN;
        c.beginPath();
        c.arc(0, 0, radius - 0.5, from, to);
        c.strokeStyle = this.colours[colour];
        c.stroke();
        from = to;
      }
      c.textAlign = "center";
      c.textBaseline = "middle";
      c.fillStyle = this.colours.text;
      c.font = `650 ${count > 999 ? 11 : 12.5}px "Inter Variable", sans-serif`;
      c.fillText(text, 0, 0.5);
      if (level) dot(c, radius * 0.72, -radius * 0.72, level, this.colours);
    });
  }

  #made(name, wanted, sharpness, paint) {
    const known = this.images.get(name);
    if (known) return known;
    if (this.images.size >= MOST) this.#forgetOldest();
    const pixels = Math.ceil(wanted * this.pixels * sharpness);
    // From an image, not from a canvas: that would be read back at every copy.
    const canvas = new OffscreenCanvas(pixels, pixels);
    const c = canvas.getContext("2d", { willReadFrequently: true });
    c.translate(pixels / 2, pixels / 2);
    c.scale(this.pixels * sharpness, this.pixels * sharpness);
    paint(c);
    const made = { image: canvas.transferToImageBitmap(), side: pixels / this.pixels / sharpness };
    this.images.set(name, made);
    return made;
  }

  #forgetOldest() {
    const [name, { image }] = this.images.entries().next().value;
    image.close();
    this.images.delete(name);
  }
}

function circle(c, x, y, radius) {
  c.beginPath();
  c.arc(x, y, radius, 0, FULL_TURN);
}

function dot(c, x, y, level, colours) {
  circle(c, x, y, 4);
  c.fillStyle = level > 1 ? colours.critical : colours.warning;
  c.fill();
  c.lineWidth = 1.5;
  c.strokeStyle = colours.panel;
  c.stroke();
}
