// Which things the list and the map show, and in which order.

export const SORTS = {
  vehicle: { attention: "by attention", name: "by name", soc: "by charge", speed: "by speed", age: "by age" },
  meter: { attention: "by attention", name: "by name", power: "by power", age: "by age" },
};

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
// What no complete snapshot has ranked yet comes last.
const byName = (a, b) => (a.rank ?? Infinity) - (b.rank ?? Infinity) || 0;

/** Give every thing its place among the names: comparing words of 10,000 every second is dear. */
export function rank(things) {
  [...things].sort((a, b) => collator.compare(a.name, b.name) || collator.compare(a.id, b.id)).forEach((thing, i) => (thing.rank = i));
}

const byValue = (name, sign) => (a, b) => {
  const [left, right] = [a.state?.values[name], b.state?.values[name]];
  if (left == null || right == null) return (left == null) - (right == null) || byName(a, b);
  return sign * (left - right) || byName(a, b);
};
const ACTIVITY = { moving: 0, charging: 1, idle: 2, parked: 3, offline: 4, no_data: 5 };
const ORDERS = {
  attention: (a, b) => b.level - a.level || ACTIVITY[a.status] - ACTIVITY[b.status] || byName(a, b),
  name: byName,
  soc: byValue("soc_pct", 1),
  speed: byValue("speed_kmh", -1),
  power: byValue("power_kw", -1),
  age: (a, b) => (b.state?.time_us ?? 0) - (a.state?.time_us ?? 0) || byName(a, b),
};

function searchText(thing) {
  thing.search ??= [thing.name, thing.id, thing.plate, thing.fleet?.name, thing.state?.values.driver].filter(Boolean).join("\n").toLowerCase();
  return thing.search;
}

/** {shown, counts, total}: counts by status before the status filter, so that chips add up. */
export function choose(things, view) {
  const words = view.find.toLowerCase().split(/\s+/).filter(Boolean);
  const counts = {};
  const shown = [];
  let total = 0;
  let attention = 0;
  for (const thing of things) {
    if (thing.kind !== view.kind) continue;
    if (view.fleet && thing.fleet?.id !== view.fleet) continue;
    if (words.length && !words.every((word) => searchText(thing).includes(word))) continue;
    total++;
    counts[thing.status] = (counts[thing.status] ?? 0) + 1;
    if (thing.level) attention++;
    if (!view.status || view.status === thing.status || (view.status === "attention" && thing.level)) shown.push(thing);
  }
  return { shown: shown.sort(ORDERS[view.sort] ?? ORDERS.attention), counts, total, attention };
}
