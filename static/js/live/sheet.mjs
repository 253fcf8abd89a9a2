// On a phone the list is a sheet over the map: low, half, or high; dragged or tapped.

// The map's controls stand on it, so its height is the page's to know.
const HEIGHTS = [150, 0.46, 0.88]; // pixels, or a share of the page

export function startSheet(sheet, grip) {
  let step = 1;
  const heights = () => HEIGHTS.map((h) => (h > 1 ? h : h * sheet.parentElement.clientHeight));
  const settle = (next) => {
    step = next;
    sheet.parentElement.style.setProperty("--sheet", `${Math.round(heights()[step])}px`);
  };
  let start = null;
  grip.addEventListener("pointerdown", (event) => {
    start = { y: event.clientY, height: sheet.offsetHeight, moved: false };
    grip.setPointerCapture(event.pointerId);
    sheet.classList.add("list--dragged");
  });
  grip.addEventListener("pointermove", (event) => {
    if (!start) return;
    const by = start.y - event.clientY;
    start.moved ||= Math.abs(by) > 5;
    const [least, , most] = heights();
    sheet.parentElement.style.setProperty("--sheet", `${Math.max(least, Math.min(most, start.height + by))}px`);
  });
  const end = () => {
    if (!start) return;
    sheet.classList.remove("list--dragged");
    const { moved } = start;
    start = null;
    if (!moved) return;
    const now = sheet.offsetHeight;
    const distances = heights().map((height) => Math.abs(height - now));
    settle(distances.indexOf(Math.min(...distances)));
    swallow = true;
  };
  let swallow = false;
  grip.addEventListener("pointerup", end);
  grip.addEventListener("pointercancel", end);
  grip.addEventListener("click", () => {
    if (swallow) swallow = false;
    else settle((step + 1) % HEIGHTS.length);
  });
}
