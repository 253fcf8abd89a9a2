"""A vehicle's readings as files: CSV, GPX and GeoJSON, written line by line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from xml.sax.saxutils import escape

import msgspec

from fleet.models import Vehicle
from fleet.spreadsheets import csv_lines
from telemetry import selectors
from telemetry.fields import VEHICLE_FIELDS
from telemetry.storage.subjects import VEHICLES

EXTRA: Final = ("alarms", "attributes", "invalid")
COLUMNS: Final = ("time", "received_at", *VEHICLE_FIELDS, *EXTRA)


def readings(
    vehicle: Vehicle, start: datetime, end: datetime, *fields: str
) -> Iterator[dict[str, Any]]:
    """Every reading of the span in the order of time, a page at a time."""
    after = None
    while True:
        page = selectors.history(
            VEHICLES,
            vehicle.pk,
            start=start,
            end=end,
            fields=fields,
            limit=selectors.MAX_PAGE,
            order="asc",
            after=after,
        )
        yield from page.readings
        if page.after is None:
            return
        after = page.after


def as_csv(vehicle: Vehicle, start: datetime, end: datetime) -> Iterator[str]:
    """Every column as stored, units in the headings; empty: not sent."""
    headings = ["time", "received_at"]
    headings += [f"{f.name} [{f.unit}]" if f.unit else f.name for f in VEHICLE_FIELDS.values()]
    rows = readings(vehicle, start, end, *VEHICLE_FIELDS, *EXTRA)
    yield from csv_lines(
        [*headings, *EXTRA], ([_cell(row.get(name)) for name in COLUMNS] for row in rows)
    )


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return value


def as_gpx(vehicle: Vehicle, start: datetime, end: datetime) -> Iterator[str]:
    """GPX 1.1 (topografix.com/GPX/1/1): one track, a segment for each stretch without a gap."""
    name = escape(vehicle.name or vehicle.reference)
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gpx version="1.1" creator="Outrider" xmlns="http://www.topografix.com/GPX/1/1">\n'
        f"<metadata><time>{_iso(start)}</time></metadata>\n<trk><name>{name}</name>\n"
    )
    gap = timedelta(seconds=vehicle.silent_after_s)
    before: datetime | None = None
    for row in readings(vehicle, start, end, "lat", "lon", "altitude_m", "satellites"):
        if "lat" not in row or "lon" not in row:
            continue
        if before is None or row["time"] - before > gap:
            yield "<trkseg>\n" if before is None else "</trkseg>\n<trkseg>\n"
        before = row["time"]
        inner = f"<ele>{row['altitude_m']}</ele>" if "altitude_m" in row else ""
        inner += f"<time>{_iso(before)}</time>"
        inner += f"<sat>{row['satellites']}</sat>" if "satellites" in row else ""
        yield f'<trkpt lat="{row["lat"]}" lon="{row["lon"]}">{inner}</trkpt>\n'
    yield ("</trkseg>\n" if before is not None else "") + "</trk>\n</gpx>\n"


def as_geojson(vehicle: Vehicle, start: datetime, end: datetime) -> Iterator[str]:
    """A FeatureCollection (RFC 7946) of points, each with what else its reading told."""
    yield '{"type":"FeatureCollection","features":[\n'
    separator = ""
    for row in readings(vehicle, start, end, *VEHICLE_FIELDS, *EXTRA):
        lat, lon = row.pop("lat", None), row.pop("lon", None)
        if lat is None or lon is None:
            continue
        point = {"type": "Point", "coordinates": [lon, lat]}
        feature = {"type": "Feature", "geometry": point, "properties": row}
        yield separator + _ENCODER.encode(feature).decode()
        separator = ",\n"
    yield "\n]}\n"


_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


WRITERS: Final = {
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "gpx": (as_gpx, "application/gpx+xml"),
    "geojson": (as_geojson, "application/geo+json"),
}
