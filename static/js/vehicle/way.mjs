// The way on the map, and where the vehicle was at the moment looked at.
import { AttributionControl, Map as GroundMap, Marker, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import { element } from "outrider/format";
import { addDetail, colour, ownStyle, remoteStyle } from "outrider/live/basemap";
import { isDark } from "outrider/shell";
import { before, silenceAt } from "outrider/vehicle/moments";
import { gettext, interpolate } from "outrider/words";

const NEAR_PX = 26;
const NAMED_STOPS = 12;

export class Way {
  constructor(box, settings, moment) {
    this.settings = settings.map;
    this.moment = moment;
    setWorkerUrl(new URL(this.settings.worker, location.href).href);
    this.map = new GroundMap({
      container: box,
      style: ownStyle(this.settings.files),
      center: [8, 30],
      zoom: 1.2,
      maxZoom: 18,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      fadeDuration: 0,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.addControl(new AttributionControl({ compact: false }), "bottom-right");
    this.map.addControl(new ScaleControl({ maxWidth: 90 }), "bottom-left");
    this.map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    this.map.getCanvas().setAttribute("aria-label", gettext("Map"));
    this.marker = new Marker({ element: element("div", { class: "way__dot" }) });
    this.map.on("style.load", () => {
      this.styled = true;
      this.#lay();
    });
    this.map.once("load", () => this.#ground());
    this.map.on("mousemove", (event) => this.#point(event.point));
    this.map.on("click", (event) => this.#point(event.point));
    document.addEventListener("theme-changed", () => this.#ground());
    moment.addEventListener("change", () => this.#follow());
    new ResizeObserver(() => this.map.resize()).observe(box);
  }

  show(data, keepView = false) {
    this.data = data;
    const { t, lon, lat } = data.way;
    this.lines = [];
    this.silent = [];
    const late = [];
    const gapStarts = data.gaps.map((gap) => gap.from);
    for (let i = 0; i < t.length; i++) {
      const crossed = i > 0 && before(gapStarts, t[i - 1] + 1) !== before(gapStarts, t[i] - 1);
      if (i === 0 || crossed) {
        if (crossed) this.silent.push([[lon[i - 1], lat[i - 1]], [lon[i], lat[i]]]);
        this.lines.push([]);
      }
      this.lines.at(-1).push([lon[i], lat[i]]);
    }
    for (const [from, to] of data.late) {
      const part = [];
      for (let i = 0; i < t.length; i++) if (t[i] >= from && t[i] <= to) part.push([lon[i], lat[i]]);
      if (part.length > 1) late.push(part);
    }
    this.late = late;
    this.#lay();
    this.#markStops();
    if (!keepView && t.length) this.#fit();
    this.#follow();
  }

  /** Where it stood and for how long; the longest by name, the others as a dot to point at. */
  #markStops() {
    for (const marker of this.stops ?? []) marker.remove();
    this.stops = this.data.stops.map(({ from, lon, lat, text }, at) => {
      const words = interpolate(gettext("Stood for %(time)s"), { time: text });
      const onclick = (event) => {
        event.stopPropagation();
        this.moment.set(this.data.start + from, "map");
      };
      const shown = at < NAMED_STOPS ? text : "";
      const mark = element("button", { type: "button", class: `way__stop${shown ? "" : " way__stop--dot"}`, title: words, "aria-label": words, onclick }, shown);
      return new Marker({ element: mark, anchor: shown ? "bottom" : "center", offset: shown ? [0, -9] : [0, 0] }).setLngLat([lon, lat]).addTo(this.map);
    });
  }

  #fit() {
    const { lon, lat } = this.data.way;
    const [w, e, s, n] = [min(lon), -min(lon.map((v) => -v)), min(lat), -min(lat.map((v) => -v))];
    this.map.fitBounds([[w, s], [e, n]], { padding: 48, maxZoom: 15, duration: 0 });
  }

  async #ground() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    if (turn > 1) this.#restyle(ownStyle(this.settings.files));
    addDetail(this.map, this.settings.files).catch(() => {}); // The coarse map stays.
    const remote = await remoteStyle(this.settings[isDark() ? "dark" : "light"]);
    if (remote && turn === this.turn) this.#restyle(remote);
  }

  // A new style takes the way away with the old one, until it is laid again.
  #restyle(style) {
    this.styled = false;
    this.map.setStyle(style, { diff: false });
  }

  #lay() {
    if (!this.lines || !this.styled) return;
    const lay = (id, lines, paint) => {
      const data = { type: "Feature", properties: {}, geometry: { type: "MultiLineString", coordinates: lines } };
      const source = this.map.getSource(id);
      if (source) source.setData(data);
      else {
        this.map.addSource(id, { type: "geojson", data, tolerance: 0.2 });
        this.map.addLayer({ id, type: "line", source: id, layout: { "line-cap": "round", "line-join": "round" }, paint });
      }
    };
    lay("silent", this.silent, { "line-color": colour("text-faint"), "line-width": 2, "line-dasharray": [1, 2.4] });
    lay("casing", this.lines, { "line-color": colour("panel"), "line-width": 6, "line-opacity": 0.85 });
    lay("way", this.lines, { "line-color": colour("accent"), "line-width": 3.4 });
    lay("late", this.late, { "line-color": colour("panel"), "line-width": 1.3, "line-dasharray": [1, 2] });
  }

  /** Position at a moment: between two known ones on a straight line, never across a gap. */
  at(ms) {
    const { t, lon, lat } = this.data.way;
    const offset = ms - this.data.start;
    const i = before(t, offset);
    if (i < 0) return t.length ? [lon[0], lat[0]] : null;
    if (i === t.length - 1) return [lon[i], lat[i]];
    if (this.data.gaps.some((gap) => gap.from < t[i + 1] && gap.to > t[i])) return [lon[i], lat[i]];
    const share = (offset - t[i]) / (t[i + 1] - t[i] || 1);
    return [lon[i] + (lon[i + 1] - lon[i]) * share, lat[i] + (lat[i + 1] - lat[i]) * share];
  }

  #follow() {
    const place = this.data && this.moment.at != null && this.at(this.moment.at);
    if (!place) return this.marker.remove();
    this.marker.setLngLat(place);
    if (!this.marker.getElement().isConnected) this.marker.addTo(this.map);
    this.marker.getElement().classList.toggle("way__dot--silent", Boolean(silenceAt(this.data, this.moment.at)));
    if (this.moment.from === "player" && !this.map.getBounds().contains(place)) this.map.easeTo({ center: place, duration: 300 });
  }

  /** The moment when the vehicle was nearest to what is pointed at, if it is near. */
  #point(point) {
    if (!this.data) return;
    const { t, lon, lat } = this.data.way;
    let [best, found] = [NEAR_PX ** 2, -1];
    for (let i = 0; i < t.length; i++) {
      const { x, y } = this.map.project([lon[i], lat[i]]);
      const far = (x - point.x) ** 2 + (y - point.y) ** 2;
      if (far < best) [best, found] = [far, i];
    }
    this.map.getCanvas().style.cursor = found >= 0 ? "crosshair" : "";
    if (found >= 0) this.moment.set(this.data.start + t[found], "map");
  }
}

function min(values) {
  return values.reduce((least, value) => (value < least ? value : least), Infinity);
}
