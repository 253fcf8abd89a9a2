// Parts of a form that repeat: add one, take one away. The server passes over empty ones, so
// numbers may have gaps.

const MOST = { condition: 8, period: 14, step: 10 };

export function startRows(form, changed = () => {}) {
  form.addEventListener("click", (event) => {
    const adds = event.target.closest("[data-adds]");
    const removes = event.target.closest("[data-removes]");
    if (adds) add(form, adds.dataset.adds)?.querySelector("input, select")?.focus();
    else if (removes) {
      const box = removes.closest("[data-rows]");
      removes.closest(".row").remove();
      box.parentElement.querySelector("[data-adds]")?.focus();
    } else return;
    changed();
  });
}

function add(form, name) {
  const box = form.querySelector(`[data-rows="${name}"]`);
  const total = form.elements.namedItem(`${name}-TOTAL_FORMS`);
  const number = Number(total.value);
  if (number >= MOST[name]) return null;
  const made = document.createElement("template");
  made.innerHTML = document.getElementById(`empty-${name}`).innerHTML.replaceAll("__prefix__", String(number));
  total.value = String(number + 1);
  const row = made.content.firstElementChild;
  box.append(row);
  return row;
}
