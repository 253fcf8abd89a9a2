// What is being drawn, as the fields of the form have it: they are the truth, the map shows
// them. Every change is a step that undo takes back.

const FIELDS = ["kind", "centre", "radius_m", "points", "width_m"];
const SEPARATORS = /[\s,;]+/;
const RADIUS_M = 300;
const WIDTH_M = 100;

export class Draft extends EventTarget {
  #past = [];
  #future = [];

  constructor(form) {
    super();
    this.form = form;
    this.#now = this.#read();
    this.#saved = JSON.stringify(this.#now);
    form.addEventListener("input", (event) => {
      if (!FIELDS.includes(event.target.name)) return;
      this.#step(this.#read(), event.target.name);
    });
  }
  #now;
  #saved;
  #typing = "";

  get kind() {
    return this.#now.kind;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  get isChanged() {
    return JSON.stringify(this.#now) !== this.#saved;
  }

  /** The shape that the fields say, or null where they do not say one yet. */
  get shape() {
    const { kind, centre, radius_m, points, width_m } = this.#now;
    const rings = kind === "circle" ? [] : ringsOf(points);
    if (kind === "circle") {
      const at = ringsOf(centre)?.[0]?.[0];
      return at && Number(radius_m) > 0 ? { type: "circle", centre: at, radius_m: Number(radius_m) } : null;
    }
    if (!rings) return null;
    if (kind === "corridor") {
      const line = rings.flat();
      return line.length > 1 && Number(width_m) > 0 ? { type: "corridor", line, width_m: Number(width_m) } : null;
    }
    return rings[0]?.length > 2 && rings.every((ring) => ring.length > 2) ? { type: "polygon", rings } : null;
  }

  /** Drawn on the map. */
  set shape(shape) {
    const next = { ...this.#now, kind: shape.type };
    if (shape.type === "circle") {
      next.centre = written([[shape.centre]]);
      next.radius_m = String(shape.radius_m);
    } else {
      next.points = written(shape.type === "corridor" ? [shape.line] : shape.rings);
    }
    this.#step(next);
  }

  /** Begin one of this kind, with what is usual where nothing was said. */
  begin(kind) {
    const next = { ...this.#now, kind };
    if (kind === "circle" && !next.radius_m) next.radius_m = String(RADIUS_M);
    if (kind === "corridor" && !next.width_m) next.width_m = String(WIDTH_M);
    this.#step(next);
  }

  undo() {
    if (this.#past.length) this.#go(this.#past, this.#future);
  }

  redo() {
    if (this.#future.length) this.#go(this.#future, this.#past);
  }

  // What is typed into one field without a pause elsewhere is one step.
  #step(next, typing = "") {
    if (JSON.stringify(next) === JSON.stringify(this.#now)) return;
    if (!typing || typing !== this.#typing) this.#past.push(this.#now);
    this.#typing = typing;
    this.#future = [];
    this.#now = next;
    if (!typing) this.#write();
    this.dispatchEvent(new Event("change"));
  }

  #go(from, to) {
    to.push(this.#now);
    this.#now = from.pop();
    this.#typing = "";
    this.#write();
    this.dispatchEvent(new Event("change"));
  }

  #read() {
    return Object.fromEntries(FIELDS.map((name) => [name, this.form.elements.namedItem(name).value]));
  }

  #write() {
    for (const name of FIELDS) this.form.elements.namedItem(name).value = this.#now[name];
  }
}

// As the server reads them: "latitude, longitude" in a line, rings apart by an empty line.
function ringsOf(text) {
  const rings = [[]];
  for (const line of text.split("\n")) {
    const parts = line.trim().split(SEPARATORS).filter(Boolean).map(Number);
    if (!parts.length) rings.push([]);
    else if (parts.length === 2 && Math.abs(parts[0]) <= 85 && Math.abs(parts[1]) <= 180) rings.at(-1).push([parts[1], parts[0]]);
    else return null;
  }
  return rings.filter((ring) => ring.length);
}

const written = (rings) => rings.map((ring) => ring.map(([lon, lat]) => `${plain(lat)}, ${plain(lon)}`).join("\n")).join("\n\n");
const plain = (degrees) => String(Number(degrees.toFixed(6)));
