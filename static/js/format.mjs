// Numbers and ages as people read them. Values come in SI-style units; imperial is for show.
import { gettext } from "outrider/words";

const CONVERTED = {
  "km/h": ["mph", (v) => v * 0.621371],
  km: ["mi", (v) => v * 0.621371],
  m: ["ft", (v) => v * 3.28084],
  "°C": ["°F", (v) => (v * 9) / 5 + 32],
};
const DIGITS = { "km/h": 0, mph: 0, "%": 0, km: 1, mi: 1, m: 0, ft: 0, "°C": 1, "°F": 1, V: 1, A: 1, kW: 1, kWh: 2, "°": 0, rpm: 0 };

let imperial = false;
export function useImperial(on) {
  imperial = on;
}

const formats = new Map();
function fixed(digits) {
  if (!formats.has(digits)) {
    formats.set(digits, new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  return formats.get(digits);
}

export const count = (n) => fixed(0).format(n);

/** {text, unit} of a number in its stored unit, converted where the organisation wants it. */
export function measure(value, unit) {
  const converted = imperial && CONVERTED[unit];
  const shown = converted ? converted[1](value) : value;
  const name = converted ? converted[0] : unit;
  const digits = DIGITS[name] ?? 1;
  return { text: fixed(digits).format(shown), unit: name };
}

/** "83 km/h"; true and false as yes and no. */
export function worded(value, field) {
  if (typeof value === "boolean") return value ? gettext("yes") : gettext("no");
  if (typeof value !== "number") return String(value);
  if (field?.unit === "°" && field.label !== "Heading") return `${value.toFixed(5)}°`;
  const { text, unit } = measure(value, field?.unit ?? "");
  return unit === "%" || unit === "" || unit === "°" ? text + (unit && (unit === "°" ? unit : ` ${unit}`)) : `${text} ${unit}`;
}

/** An age in seconds: "2 s", "14 min", "2 h 10 min", "3 d". */
export function age(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 24) return min % 60 && h < 10 ? `${h} h ${min % 60} min` : `${h} h`;
  return `${Math.floor(h / 24)} d`;
}

const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
/** A moment in the reader's own time zone: "10:42:18", with the day where it is not today. */
export function moment(us) {
  const date = new Date(us / 1000);
  const today = date.toDateString() === new Date().toDateString();
  return (today ? clockFormat : dayFormat).format(date);
}

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null && child !== false));
  return made;
}
