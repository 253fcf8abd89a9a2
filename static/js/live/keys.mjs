// Keys of the page; where somebody is typing they are letters.

/** @param acts {key: act}; walk(step) moves through the list; listens(key): is it one just now? */
export function startKeys(acts, walk, listens) {
  const find = document.getElementById("find");
  const rows = document.getElementById("rows");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const typing = event.target.matches("input:not([type=range]), select, textarea");
    if (typing && event.key === "Escape" && event.target === find) rows.focus();
    if (typing || event.target.closest("dialog, [role=menu]") || !acts[event.key] || !listens(event.key)) return;
    event.preventDefault();
    acts[event.key]();
  });
  find.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    walk(1);
    rows.focus();
  });
  rows.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (!step) return;
    event.preventDefault();
    walk(step);
  });
}
