// A value of the last hour as a line the size of a word.

const GAP_US = 600e6;

/** A small line of [microseconds, value or null]; gaps stay gaps. */
export function spark(points, colourName) {
  const [width, height] = [150, 24];
  const first = points[0][0];
  const span = points.at(-1)[0] - first || 1;
  const told = points.filter(([, value]) => value != null).map(([, value]) => value);
  let low = Math.min(...told);
  let high = Math.max(...told);
  // A value that hardly moves is a flat line, not noise blown up to the height of the tile.
  const least = Math.max(Math.abs(high) * 0.04, 0.5);
  if (high - low < least) [low, high] = [(low + high - least) / 2, (low + high + least) / 2];
  let path = "";
  let pen = "M";
  points.forEach(([time, value], i) => {
    if (value == null) {
      pen = "M";
      return;
    }
    const x = ((time - first) / span) * width;
    const y = height - 2 - ((value - low) / (high - low)) * (height - 4);
    path += `${i && time - points[i - 1][0] < GAP_US ? pen : "M"}${x.toFixed(1)},${y.toFixed(1)}`;
    pen = "L";
  });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = `<path d="${path}" fill="none" stroke="var(${colourName})" stroke-width="1.600" stroke-linejoin="round" vector-effect="non-scaling-stroke"/>`;
  return svg;
}
