// Where it happened: the way around the moment, the place, and the fences of the rule.
import { AttributionControl, LngLatBounds, Map as GroundMap, Marker, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import { element } from "outrider/format";
import { addDetail, colour, ownStyle, remoteStyle } from "outrider/live/basemap";
import { isDark } from "outrider/shell";
import { gettext } from "outrider/words";

export class Place {
  /** @param data {map, track: [[ms, lon, lat]], fences: [{name, geometry}], began, opened, resolved} */
  constructor(box, data) {
    this.data = data;
    setWorkerUrl(new URL(data.map.worker, location.href).href);
    this.map = new GroundMap({
      container: box, style: ownStyle(data.map.files), bounds: this.#bounds(), fitBoundsOptions: { padding: 40, maxZoom: 15 },
      maxZoom: 18, attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false, fadeDuration: 0,
      cooperativeGestures: matchMedia("(pointer: coarse)").matches,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.addControl(new AttributionControl({ compact: false }), "bottom-right");
    this.map.addControl(new ScaleControl({ maxWidth: 90 }), "bottom-left");
    this.map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    this.map.getCanvas().setAttribute("aria-label", gettext("Map"));
    this.map.on("style.load", () => this.#lay());
    this.map.once("load", () => this.#ground());
    document.addEventListener("theme-changed", () => this.#ground());
    this.#mark(data.opened, "place__dot", gettext("Opened here"));
    new ResizeObserver(() => this.map.resize()).observe(box);
  }

  #bounds() {
    const bounds = new LngLatBounds();
    for (const [, lon, lat] of this.data.track) bounds.extend([lon, lat]);
    for (const { geometry } of this.data.fences) for (const ring of rings(geometry)) for (const at of ring) bounds.extend(at);
    return bounds.isEmpty() ? [[-20, -40], [40, 60]] : bounds;
  }

  /** Where it was at a moment: at the last position known by then. */
  #at(ms) {
    const found = this.data.track.findLast(([t]) => t <= ms) ?? this.data.track[0];
    return found?.slice(1);
  }

  #mark(ms, name, title) {
    const place = this.#at(ms);
    if (place) new Marker({ element: element("div", { class: name, title, role: "img", "aria-label": title }) }).setLngLat(place).addTo(this.map);
  }

  async #ground() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    if (turn > 1) this.map.setStyle(ownStyle(this.data.map.files), { diff: false });
    addDetail(this.map, this.data.map.files).catch(() => {}); // The coarse map stays.
    const remote = await remoteStyle(this.data.map[isDark() ? "dark" : "light"]);
    if (turn !== this.turn) return;
    if (remote) this.map.setStyle(remote, { diff: false });
    // Our own map knows towns and no streets: nearer than this it is an empty field.
    else if (turn === 1 && this.map.getZoom() > 11) this.map.setZoom(11);
  }

  #lay() {
    const { track, fences, began, opened, resolved } = this.data;
    const line = (points) => ({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: points.map((p) => p.slice(1)) } });
    const ends = resolved ?? Infinity;
    const held = track.filter(([t]) => t >= began && t <= Math.max(ends, opened));
    const add = (id, data, type, paint) => {
      if (this.map.getSource(id)) return;
      this.map.addSource(id, { type: "geojson", data });
      this.map.addLayer({ id, type, source: id, layout: type === "line" ? { "line-cap": "round", "line-join": "round" } : {}, paint });
    };
    const areas = { type: "FeatureCollection", features: fences.map(({ geometry }) => ({ type: "Feature", properties: {}, geometry })) };
    add("fences", areas, "fill", { "fill-color": colour("accent"), "fill-opacity": 0.14 });
    add("fence-edges", areas, "line", { "line-color": colour("accent"), "line-width": 2, "line-dasharray": [3, 2] });
    if (track.length > 1) {
      add("casing", line(track), "line", { "line-color": colour("panel"), "line-width": 6, "line-opacity": 0.85 });
      add("way", line(track), "line", { "line-color": colour("text-faint"), "line-width": 3 });
    }
    if (held.length > 1) add("held", line(held), "line", { "line-color": colour("critical"), "line-width": 3.6 });
  }
}

const rings = (geometry) => (geometry.type === "MultiPolygon" ? geometry.coordinates.flat() : geometry.coordinates);
