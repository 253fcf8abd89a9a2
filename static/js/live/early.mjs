// Asks for the fleet while the rest of the page is still on its way: the answer takes as long.
// What comes before `LiveSocket` takes the connection over waits in `heard`.

const { socket: path } = JSON.parse(document.getElementById("start").textContent);
const address = new URL(path, location.href);
address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
const socket = new WebSocket(address);
const heard = [];
socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", fleets: "all" }));
socket.onmessage = socket.onclose = (event) => heard.push(event);

export const early = { socket, heard };
