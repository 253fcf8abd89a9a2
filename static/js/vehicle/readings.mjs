// Asking the server for a period, with the charts that somebody has chosen.

const REMEMBERED = "outrider.charts";
export const ATTRIBUTE = "attributes.";

/** Names of the charts that were chosen last; null: none were. */
export function remembered() {
  try {
    return JSON.parse(localStorage.getItem(REMEMBERED));
  } catch {
    return null;
  }
}

export function remember(names) {
  localStorage.setItem(REMEMBERED, JSON.stringify(names));
}

/** What the page draws of a period, with the attributes among `shown`; `asked`: when that was. */
export async function ask(address, query, shown) {
  const asked = performance.now();
  const wanted = new URLSearchParams(query);
  for (const name of shown) if (name.startsWith(ATTRIBUTE)) wanted.append("attribute", name.slice(ATTRIBUTE.length));
  const answer = await fetch(`${address}?${wanted}`);
  if (!answer.ok) throw new Error(String(answer.status));
  return { data: await answer.json(), asked };
}
