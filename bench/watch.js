// Before the page's own scripts: long tasks, long frames, and the first frames that show a row
// of the list, something on the map, and all vehicles counted.
(() => {
  const seen = (window.seen = { tasks: [], frames: [], firsts: {} });
  const first = (name) => {
    if (!(name in seen.firsts)) requestAnimationFrame(() => (seen.firsts[name] ??= performance.now()));
  };
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) seen.tasks.push([startTime, duration]);
  }).observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => {
    for (const frame of list.getEntries()) {
      for (const { duration, invoker, sourceURL } of frame.scripts) {
        seen.frames.push([duration, invoker, sourceURL.split("/").pop().replace(/\.[0-9a-f]{12}\./, ".")]);
      }
    }
  }).observe({ type: "long-animation-frame", buffered: true });
  new MutationObserver(() => {
    if (document.querySelector(".row")) first("rows");
    const count = document.querySelector("#tab-vehicles b")?.textContent.replaceAll(/\D/g, "");
    if (Number(count) >= window.expected) first("all");
  }).observe(document, { childList: true, subtree: true, characterData: true });
  const { drawImage } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.drawImage = function (...given) {
    if (this.canvas.className === "symbols") {
      first("map");
      CanvasRenderingContext2D.prototype.drawImage = drawImage;
    }
    return drawImage.apply(this, given);
  };
})();
