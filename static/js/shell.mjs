// What every page behind the log-in can do: switch the theme, close the menu.

const dark = matchMedia("(prefers-color-scheme: dark)");

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : dark.matches;
}

function announce() {
  document.dispatchEvent(new CustomEvent("theme-changed"));
}

export function startShell() {
  dark.addEventListener("change", announce);
  document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    localStorage.setItem("theme", theme);
    localStorage.setItem("theme-since", document.documentElement.dataset.ownTheme ?? "");
    document.documentElement.dataset.theme = theme;
    announce();
  });
  for (const select of document.querySelectorAll("select[data-submits]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  const menu = document.querySelector(".person");
  document.addEventListener("pointerdown", (event) => {
    if (menu?.open && !menu.contains(event.target)) menu.open = false;
  });
  menu?.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}
