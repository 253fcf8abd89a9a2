// The geofence editor: map and fields say the same, the draft is what both of them change.
import { AttributionControl, LngLatBounds, Map as GroundMap, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import { element } from "outrider/format";
import { Draft } from "outrider/geofences/draft";
import { Drawing } from "outrider/geofences/drawing";
import { FenceLayer, fetchFences } from "outrider/geofences/layer";
import { featureOf, positionsOf } from "outrider/geofences/shapes";
import { startTrials } from "outrider/geofences/trial";
import { addDetail, colour, ownStyle, remoteStyle } from "outrider/live/basemap";
import { isDark } from "outrider/shell";
import { gettext } from "outrider/words";

const HINTS = {
  circle: gettext("Click the centre, then how far it reaches. Or drag."),
  polygon: gettext("Click corner after corner; click the last one again to finish."),
  corridor: gettext("Click along the route; click the last point again to finish."),
};
const EDITING = {
  circle: gettext("Drag the circle, or one of its four points."),
  polygon: gettext("Drag the points. Right-click one to remove it."),
  corridor: gettext("Drag the points. Right-click one to remove it."),
};
const $ = (id) => document.getElementById(id);
const start = JSON.parse($("start").textContent);
const form = $("fence");
const draft = new Draft(form);
const box = $("map");
const tint = () => form.elements.namedItem("colour").value;

// --- The map ----------------------------------------------------------------------------------
setWorkerUrl(new URL(start.map.worker, location.href).href);
const ground = box.insertBefore(element("div", { class: "fence__ground" }), box.firstChild);
const map = new GroundMap({
  container: ground, style: ownStyle(start.map.files), center: [8, 30], zoom: 1.6, minZoom: 1, maxZoom: 18,
  attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false, renderWorldCopies: false, fadeDuration: 0,
});
map.touchZoomRotate.disableRotation();
map.keyboard.disableRotation();
map.addControl(new AttributionControl({ compact: false }), "bottom-right");
map.addControl(new ScaleControl({ maxWidth: 110 }), "bottom-left");
map.addControl(new NavigationControl({ showCompass: false }), "bottom-right");
map.getCanvas().setAttribute("aria-label", gettext("Map"));
new ResizeObserver(() => map.resize()).observe(box);

const others = new FenceLayer(map, { id: "others", faint: true });
const own = new FenceLayer(map, { id: "own" });
const drawing = start.is_editable ? new Drawing(map, tint()) : null;
let vehicles = [];

map.on("style.load", () => {
  layVehicles();
  drawing?.start();
  if (isReady) show();
});

// Where the vehicles are now: what a geofence is drawn around.
function layVehicles() {
  const data = { type: "Feature", properties: {}, geometry: { type: "MultiPoint", coordinates: vehicles } };
  if (map.getSource("vehicles")) return void map.getSource("vehicles").setData(data);
  map.addSource("vehicles", { type: "geojson", data });
  map.addLayer({ id: "vehicles", type: "circle", source: "vehicles", paint: { "circle-radius": 4, "circle-color": colour("text-soft"), "circle-opacity": 0.55, "circle-stroke-width": 1, "circle-stroke-color": colour("panel") } });
}

async function reground() {
  const turn = (reground.turn = Symbol("ground"));
  addDetail(map, start.map.files).catch(() => {}); // The coarse map stays.
  const remote = await remoteStyle(start.map[isDark() ? "dark" : "light"]);
  if (remote && turn === reground.turn) map.setStyle(remote, { diff: false });
}
document.addEventListener("theme-changed", () => {
  map.setStyle(ownStyle(start.map.files), { diff: false });
  map.once("style.load", reground);
});

function frame(positions) {
  if (!positions.length) return;
  const bounds = positions.reduce((all, each) => all.extend(each), new LngLatBounds(positions[0], positions[0]));
  map.fitBounds(bounds, { padding: { top: 120, right: 60, bottom: 60, left: 60 }, maxZoom: 15, duration: 0 });
}

// --- Draft, fields and map say the same ----------------------------------------------------------
let isReady = false;
function show() {
  const { shape, kind } = draft;
  for (const part of form.querySelectorAll("[data-of]")) part.hidden = !part.dataset.of.split(" ").includes(kind);
  own.show(shape ? [{ name: "", colour: tint(), shape }] : []);
  box.dataset.shape = shape?.type ?? "";
  if (!drawing) return;
  if (shape) {
    const bends = drawing.show(shape);
    $("hint").textContent = bends ? EDITING[kind] : gettext("Edit this one by its points, beside the map.");
  } else if (!drawing.isDrawing) begin(kind);
  for (const button of document.querySelectorAll("[data-draws]")) button.setAttribute("aria-pressed", String(button.dataset.draws === kind));
  $("undo").disabled = !draft.canUndo;
  $("redo").disabled = !draft.canRedo;
  $("draft").hidden = !draft.isChanged;
}

function begin(kind) {
  drawing.begin(kind);
  $("hint").textContent = HINTS[kind];
  box.dataset.drawing = kind;
}

draft.addEventListener("change", () => isReady && show());
form.elements.namedItem("colour").addEventListener("input", () => isReady && show());

if (drawing) {
  drawing.addEventListener("drawn", ({ detail }) => {
    delete box.dataset.drawing;
    const width = Number(form.elements.namedItem("width_m").value) || 100;
    draft.shape = detail.type === "corridor" ? { ...detail, width_m: width } : detail;
  });
  for (const button of document.querySelectorAll("[data-draws]")) {
    button.addEventListener("click", () => {
      draft.begin(button.dataset.draws);
      begin(button.dataset.draws);
      own.show([]);
    });
  }
  $("undo").addEventListener("click", () => draft.undo());
  $("redo").addEventListener("click", () => draft.redo());
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=radio]), textarea, select");
    if (typing || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    if (event.shiftKey) draft.redo();
    else draft.undo();
  });
  // What is not saved is not left without a question.
  let saves = false;
  for (const each of document.querySelectorAll("form[method=post]")) each.addEventListener("submit", () => (saves = each === form));
  addEventListener("beforeunload", (event) => {
    if (draft.isChanged && !saves) event.preventDefault();
  });
  startTrials(form, draft);
}

map.once("load", async () => {
  reground();
  let fences = [];
  try {
    ({ fences, vehicles } = await fetchFences(start.shapes));
  } catch {
    // The surroundings are missing; one can draw without them.
  }
  others.show(fences.filter(({ id }) => id !== start.id));
  layVehicles();
  const { shape } = draft;
  frame(shape ? positionsOf(shape) : vehicles.length ? vehicles : fences.flatMap((each) => positionsOf(each.shape)));
  isReady = true;
  show();
  map.once("idle", () => (box.dataset.ready = "yes"));
  map.triggerRepaint();
});
