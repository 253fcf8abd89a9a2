// Asks for the readings while the rest of the page is still on its way: the answer takes as long.
import { ask, remembered } from "outrider/vehicle/readings";

const { data, query, shown } = JSON.parse(document.getElementById("start").textContent);

export const early = ask(data, query, remembered() ?? shown);
early.catch(() => {}); // Whoever waits for it hears of it.
