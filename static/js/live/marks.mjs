// The shape of each status, the same in the list and on the map; drawn in a 24 by 24 square.
export const SHAPES = {
  moving: { path: "M12 1.5 21 21.500 12 17 3 21.500Z", filled: true },
  idle: { path: "M5.500 4h13A1.500 1.500 0 0 1 20 5.500v13a1.500 1.500 0 0 1-1.500 1.500h-13A1.500 1.500 0 0 1 4 18.500v-13A1.500 1.500 0 0 1 5.500 4Z", filled: true },
  charging: { path: "M14.500 1 4 14h7l-1.500 9L20 10h-7.200Z", filled: true },
  parked: { path: "M12 3.500a8.500 8.500 0 1 1 0 17 8.500 8.500 0 0 1 0-17Z", filled: true },
  offline: { path: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16Z", filled: false },
  no_data: { path: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16Z", filled: false, dashed: true },
};

/** An element with the status's shape in its colour. */
export function mark(status) {
  const { path, filled, dashed } = SHAPES[status];
  const span = document.createElement("span");
  span.className = `mark is-${status}`;
  const paint = filled ? 'fill="currentColor"' : `fill="none" stroke="currentColor" stroke-width="4"${dashed ? ' stroke-dasharray="4 4"' : ""}`;
  span.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${path}" ${paint}/></svg>`;
  return span;
}
