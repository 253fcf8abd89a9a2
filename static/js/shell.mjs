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
  // What unfolds over a page folds when one turns away from it, and at Escape.
  for (const menu of document.querySelectorAll("details.person, details.pop")) {
    const leave = (target) => { if (menu.open && target && !menu.contains(target)) menu.open = false; };
    document.addEventListener("pointerdown", (event) => leave(event.target));
    menu.addEventListener("focusout", (event) => leave(event.relatedTarget));
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  }
}
