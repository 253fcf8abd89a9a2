// Ctrl-K: jump to a vehicle, meter, device, fleet or page. A combobox in a dialog (WAI-ARIA
// "editable combobox with list autocomplete"); the focus goes back where it was.

const dialog = document.getElementById("palette");
const MOST_PAGES = 6;

if (dialog) start();
for (const button of document.querySelectorAll("[data-dismiss]")) {
  button.addEventListener("click", () => button.closest(".toast").remove());
}

function start() {
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("[role=listbox]");
  const none = dialog.querySelector(".palette__none");
  const pages = [...dialog.querySelector("template").content.querySelectorAll("a")].map((a) => ({
    label: dialog.dataset.page, name: a.textContent, id: "", hint: "", url: a.getAttribute("href"),
  }));
  let chosen = 0;
  let asked = 0;
  let waiting = 0;
  let cameFrom = null;

  function open() {
    if (dialog.open) return;
    cameFrom = document.activeElement;
    input.value = "";
    dialog.showModal();
    show(pages.slice(0, MOST_PAGES));
  }

  function show(found) {
    chosen = 0;
    list.replaceChildren(...found.map(option));
    none.hidden = found.length > 0;
    mark();
  }

  function option(each, index) {
    const item = document.createElement("li");
    item.id = `palette-${index}`;
    item.role = "option";
    const kind = document.createElement("span");
    kind.className = "palette__kind";
    kind.textContent = each.label;
    const link = document.createElement("a");
    link.href = each.url;
    link.tabIndex = -1;
    link.textContent = each.name;
    const hint = document.createElement("span");
    hint.className = "palette__hint";
    hint.textContent = [each.id !== each.name ? each.id : "", each.hint].filter(Boolean).join(" · ");
    item.append(link, hint, kind);
    item.addEventListener("click", () => link.click());
    item.addEventListener("pointermove", () => { chosen = index; mark(); });
    return item;
  }

  function mark() {
    [...list.children].forEach((item, index) => item.setAttribute("aria-selected", index === chosen));
    const item = list.children[chosen];
    if (item) input.setAttribute("aria-activedescendant", item.id);
    else input.removeAttribute("aria-activedescendant");
    item?.scrollIntoView({ block: "nearest" });
  }

  async function search() {
    const wanted = input.value.trim();
    const mine = ++asked;
    const ofPages = pages.filter((page) => page.name.toLowerCase().includes(wanted.toLowerCase()));
    if (!wanted) return show(pages.slice(0, MOST_PAGES));
    let found = [];
    try {
      const address = new URL(dialog.dataset.source, location.href);
      address.searchParams.set("q", wanted);
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      if (answer.ok) found = (await answer.json()).found;
    } catch {
      // Away from the server the pages can still be found.
    }
    // Answers may overtake each other: only the one to what stands there now is shown.
    if (mine === asked) show([...found, ...ofPages.slice(0, MOST_PAGES)]);
  }

  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 80);
  });
  input.addEventListener("keydown", (event) => {
    const last = list.children.length - 1;
    if (event.key === "ArrowDown") chosen = chosen < last ? chosen + 1 : 0;
    else if (event.key === "ArrowUp") chosen = chosen > 0 ? chosen - 1 : last;
    else if (event.key === "Enter") list.children[chosen]?.querySelector("a").click();
    else return;
    event.preventDefault();
    mark();
  });
  dialog.addEventListener("close", () => cameFrom?.focus?.());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    open();
  });
  for (const button of document.querySelectorAll("[data-palette]")) {
    button.addEventListener("click", open);
  }
}
