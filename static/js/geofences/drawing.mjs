// Drawing with the pointer: terra-draw makes and moves the outline, the draft says what it is.
import { TerraDraw, TerraDrawCircleMode, TerraDrawLineStringMode, TerraDrawPolygonMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import { circleOf, metresBetween, metresOf, ringOf } from "outrider/geofences/shapes";

const MODES = { circle: "circle", polygon: "polygon", corridor: "linestring" };
/** Handles of a circle: its four points, of the many that its ring has. */
const EVERY = 16;
const TINY_PX = 6;
const USUAL_PX = 60;

export class Drawing extends EventTarget {
  #holes = [];
  #shown = null;
  #touched = null;

  constructor(map, tint) {
    super();
    this.map = map;
    this.tint = tint;
    map.getCanvas().addEventListener("pointerdown", ({ offsetX, offsetY }) => {
      this.#touched = map.unproject([offsetX, offsetY]).toArray();
    }, { capture: true });
  }

  /** Again after every new style, which takes terra-draw's layers with it. */
  start() {
    const mode = this.draw?.getMode();
    this.draw = new TerraDraw({ adapter: new TerraDrawMapLibreGLAdapter({ map: this.map, coordinatePrecision: 9 }), modes: this.#modes() });
    this.draw.on("finish", (id) => this.#finished(id));
    this.draw.start();
    if (this.#shown) this.show(this.#shown);
    else if (mode && mode !== "select" && mode !== "static") this.draw.setMode(mode);
  }

  get isDrawing() {
    return Object.values(MODES).includes(this.draw?.getMode());
  }

  /** The next clicks draw one of this kind. */
  begin(kind) {
    this.#shown = null;
    this.#holes = [];
    this.draw.clear();
    this.draw.setMode(MODES[kind]);
  }

  /** Lay a shape to be moved and bent; null: nothing is there. False: too much for handles. */
  show(shape) {
    if (!this.draw) return false;
    this.#shown = shape;
    this.#holes = shape?.type === "polygon" ? shape.rings.slice(1) : [];
    this.draw.clear();
    if (!shape) return true;
    const mode = MODES[shape.type];
    const ring = shape.type === "circle" ? ringOf(shape) : shape.type === "corridor" ? shape.line : closed(shape.rings[0]);
    const geometry = shape.type === "corridor" ? { type: "LineString", coordinates: ring } : { type: "Polygon", coordinates: [ring] };
    const properties = shape.type === "circle" ? { mode, radiusKilometers: shape.radius_m / 1000 } : { mode };
    const id = this.draw.getFeatureId();
    const [{ valid }] = this.draw.addFeatures([{ id, type: "Feature", properties, geometry }]);
    this.draw.setMode("select");
    if (valid) this.draw.selectFeature(id);
    return valid;
  }

  #finished(id) {
    const feature = this.draw.getSnapshotFeature(id);
    if (!feature) return;
    const { mode } = feature.properties;
    const { coordinates } = feature.geometry;
    let shape;
    if (mode === "circle") shape = this.#seen(circleOf(coordinates[0]));
    else if (mode === "linestring") shape = { type: "corridor", line: coordinates };
    else shape = { type: "polygon", rings: [coordinates[0].slice(0, -1), ...this.#holes] };
    // Not within terra-draw's own event: it still works on the feature.
    queueMicrotask(() => this.dispatchEvent(new CustomEvent("drawn", { detail: shape })));
  }

  // A finger taps and does not hover: terra-draw then has a circle of no size. It reaches to
  // the second tap; two taps on one spot make one large enough to be taken by its handles.
  #seen(circle) {
    const pixel = metresOf(this.map.getZoom(), circle.centre[1]);
    if (circle.radius_m > TINY_PX * pixel) return circle;
    const reach = this.#touched ? metresBetween(circle.centre, this.#touched) : 0;
    return { ...circle, radius_m: Math.max(1, Math.round(reach > TINY_PX * pixel ? reach : USUAL_PX * pixel)) };
  }

  #modes() {
    const { tint } = this;
    const area = { fillColor: tint, fillOpacity: 0.1, outlineColor: tint, outlineWidth: 2 };
    const isHandle = ({ properties }) => properties.mode !== "select" || this.#shown?.type !== "circle" || properties.index % EVERY === 0;
    const bent = { draggable: true, coordinates: { midpoints: true, draggable: true, deletable: true } };
    return [
      new TerraDrawCircleMode({ styles: area, drawInteraction: "click-move-or-drag", startingRadiusKilometers: 0.000001 }),
      new TerraDrawPolygonMode({ styles: { ...area, closingPointColor: tint, closingPointWidth: 5 }, pointerDistance: 24 }),
      new TerraDrawLineStringMode({ styles: { lineStringColor: tint, lineStringWidth: 2, closingPointColor: tint, closingPointWidth: 5 }, pointerDistance: 24 }),
      new TerraDrawSelectMode({
        allowManualDeselection: false,
        pointerDistance: 24,
        flags: {
          circle: { feature: { draggable: true, coordinates: { resizable: "center-fixed" } } },
          polygon: { feature: bent },
          linestring: { feature: bent },
        },
        styles: {
          selectedPolygonColor: tint, selectedPolygonFillOpacity: 0, selectedPolygonOutlineColor: tint, selectedPolygonOutlineWidth: 2.5,
          selectedLineStringColor: tint, selectedLineStringWidth: 2.5,
          selectionPointColor: "#ffffff", selectionPointOutlineColor: tint, selectionPointOutlineWidth: (each) => (isHandle(each) ? 2.5 : 0), selectionPointWidth: (each) => (isHandle(each) ? 5 : 0),
          midPointColor: tint, midPointOutlineColor: "#ffffff", midPointOutlineWidth: 1.5, midPointWidth: 3.5,
        },
      }),
    ];
  }
}

const closed = (ring) => (String(ring[0]) === String(ring.at(-1)) ? ring : [...ring, ring[0]]);
