// Numbers, ages and moments as people read them, in the language of the page and on the clock
// of the organisation. Values come in SI-style units; imperial is for show.
import { gettext, interpolate } from "outrider/words";

const CONVERTED = {
  "km/h": ["mph", (v) => v * 0.621371],
  km: ["mi", (v) => v * 0.621371],
  m: ["ft", (v) => v * 3.28084],
  "°C": ["°F", (v) => (v * 9) / 5 + 32],
};
const DIGITS = { "km/h": 0, mph: 0, "%": 0, km: 1, mi: 1, m: 0, ft: 0, "°C": 1, "°F": 1, V: 1, A: 1, kW: 1, kWh: 2, "°": 0, rpm: 0 };

const { lang } = document.documentElement;
// Of the English ways to write a day the one that nobody reads the other way round.
const locale = !lang || lang === "en" ? "en-GB" : lang;

// [since when in milliseconds, seconds ahead of UTC]: what the server knows of the zone, so that
// all of a page agrees, whatever the browser has heard of it. Without: the reader's own clock.
const { clock: told } = document.querySelector("[data-clock]")?.dataset ?? {};
const offsets = told && JSON.parse(told);
/** Milliseconds that a clock of such offsets is ahead at this one. */
export const msAhead = (clock, ms) => 1000 * (clock.findLast(([since]) => since <= ms) ?? clock[0])[1];
const ahead = (ms) => (offsets ? msAhead(offsets, ms) : -60_000 * new Date(ms).getTimezoneOffset());
/** The date that in UTC reads as the clock on the wall does at this one. */
const onWall = (date) => new Date(+date + ahead(+date));

let imperial = false;
export function useImperial(on) {
  imperial = on;
}

const formats = new Map();
/** A number with so many digits behind the point, or comma. */
export function fixed(value, digits) {
  if (!formats.has(digits)) {
    formats.set(digits, new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  return formats.get(digits).format(value);
}

export const count = (n) => fixed(n, 0);

const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 0 });
/** A count where there is room for four digits: "9999", "10k". */
export const shortCount = (n) => (n > 9999 ? compact.format(n) : String(n));

/** {text, unit} of a number in its stored unit, converted where the organisation wants it. */
export function measure(value, unit) {
  const converted = imperial && CONVERTED[unit];
  const shown = converted ? converted[1](value) : value;
  const name = converted ? converted[0] : unit;
  // What has no unit is counted, unless it is no whole number.
  return { text: fixed(shown, DIGITS[name] ?? (name === "" && Number.isInteger(shown) ? 0 : 1)), unit: name };
}

/** "83 km/h"; true and false as yes and no. */
export function worded(value, field) {
  if (typeof value === "boolean") return value ? gettext("yes") : gettext("no");
  if (typeof value !== "number") return String(value);
  const { text, unit } = measure(value, field?.unit ?? "");
  return unit === "" || unit === "°" ? text + unit : `${text} ${unit}`;
}

/** An age in seconds: "2 s", "14 min", "2 h 10 min", "3 d". */
export function age(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return interpolate(gettext("%(s)s s"), { s });
  const min = Math.floor(s / 60);
  if (min < 60) return interpolate(gettext("%(min)s min"), { min });
  const h = Math.floor(min / 60);
  if (h < 24) return min % 60 && h < 10 ? interpolate(gettext("%(h)s h %(min)s min"), { h, min: min % 60 }) : interpolate(gettext("%(h)s h"), { h });
  return interpolate(gettext("%(d)s d"), { d: count(Math.floor(h / 24)) });
}

function formatOf(options) {
  const format = new Intl.DateTimeFormat(locale, { hourCycle: "h23", timeZone: "UTC", ...options });
  return (date) => format.format(onWall(date));
}
const clockFormat = formatOf({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dateFormat = formatOf({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const weekdayFormat = formatOf({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const dayFormat = formatOf({ weekday: "long", day: "numeric", month: "long" });

/** "10:42:18". */
export const clock = (date) => clockFormat(date);
/** "Saturday 21 November". */
export const day = (date) => dayFormat(date);
/** "Sat 21 Nov, 10:42". */
export const minute = (date) => weekdayFormat(date);

/** A moment in microseconds: "10:42:18", with the day where it is not today. */
export function moment(us) {
  const date = new Date(us / 1000);
  return day(date) === day(new Date()) ? clock(date) : dateFormat(date);
}

/** "2026-11-21 10:42:18 UTC". */
export const utc = (us) => `${new Date(us / 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** A moment as a field for day and time has it: what the clock on the wall shows then. */
export const onTheWall = (date) => onWall(date).toISOString().slice(0, 16);
/** The moment at which the clock on the wall shows this. */
export function fromTheWall(text) {
  const asUtc = Date.parse(`${text}Z`);
  // What the clock is ahead is asked where the moment lies: it may be put on or back nearby.
  const at = asUtc - ahead(asUtc);
  return new Date(asUtc - ahead(at));
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
