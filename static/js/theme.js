// Runs before the first paint, so that a remembered theme does not flash the other one.
(() => {
  const page = document.documentElement;
  const stored = localStorage.getItem("theme");
  // What was switched on this device holds until one chooses another in one's account.
  const since = localStorage.getItem("theme-since") ?? "";
  if (since !== (page.dataset.ownTheme ?? "")) return;
  if (stored === "light" || stored === "dark") page.dataset.theme = stored;
})();
