// Merging of patches: the same rule as telemetry/patches.py. Of each value the one with the
// greatest (time, reading_id) stands, so order, repetition and late readings do no harm.

const stamp = (patch, name) => (name && patch.older[name]) || [patch.time_us, patch.reading_id];
const less = (a, b) => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);

export function merged(left, right) {
  if (!left) return right;
  const [fresh, old] = less(stamp(left), stamp(right)) ? [right, left] : [left, right];
  if (fresh === right && replaces(fresh, old)) return fresh;
  const values = { ...fresh.values };
  const older = { ...fresh.older };
  for (const [name, value] of Object.entries(old.values)) {
    if (name === "attributes") {
      const attributes = { ...values.attributes };
      for (const [key, attribute] of Object.entries(value)) {
        const path = `attributes.${key}`;
        if (!(key in attributes) || less(stamp(fresh, path), stamp(old, path))) {
          attributes[key] = attribute;
          older[path] = stamp(old, path);
        }
      }
      values.attributes = attributes;
    } else if (name !== "invalid" && (!(name in values) || less(stamp(fresh, name), stamp(old, name)))) {
      values[name] = value;
      older[name] = stamp(old, name);
    }
  }
  const newest = stamp(fresh);
  for (const [name, at] of Object.entries(older)) {
    if (at[0] === newest[0] && at[1] === newest[1]) delete older[name];
  }
  const same = !less(stamp(old), newest);
  const received = same ? Math.min(left.received_us, right.received_us) : fresh.received_us;
  return { id: fresh.id, time_us: fresh.time_us, reading_id: fresh.reading_id, received_us: received, values, older };
}

// It says anew all that was known, as most vehicles do: thousands a second need no copies.
function replaces(fresh, old) {
  for (const _ in fresh.older) return false;
  for (const name in old.values) {
    if (name === "attributes" || (name !== "invalid" && !(name in fresh.values))) return false;
  }
  return true;
}

/** When a value was true, in microseconds. */
export const timeOf = (state, name) => stamp(state, name)[0];
