// The delivery log: filters act at once, one box ticks all.
for (const select of document.querySelectorAll(".tools [data-submits]")) select.form.querySelector("[type=submit]").classList.add("visually-hidden");
const all = document.querySelector("[data-ticks]");
all?.addEventListener("change", () => {
  for (const box of document.getElementsByName(all.dataset.ticks)) box.checked = all.checked;
});
