// What was done, said in a line that goes by itself.
const SHOWN_MS = 4000;
let going = 0;

export function say(text) {
  const box = document.getElementById("said");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(going);
  going = setTimeout(() => (box.hidden = true), SHOWN_MS);
}
