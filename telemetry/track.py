"""Where a vehicle has been, as a line for a map at a given zoom."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from shapely import LineString

MAX_POINTS = 100_000
"""Positions held at most; where there are more, every second, fourth, … is taken."""
GAP = timedelta(minutes=5)
"""A longer silence ends a line: nobody knows the way between."""
MAX_ZOOM = 22
_PAGE = 20_000


class Point(NamedTuple):
    time: datetime
    lon: float
    lat: float


class Track(NamedTuple):
    """Lines of positions in the order of time. `read`: positions there were in the window."""

    lines: list[list[Point]]
    read: int
    stride: int


def track(vehicle_id: int, *, start: datetime, end: datetime, zoom: int) -> Track:
    """Positions with start <= time < end, simplified to about a pixel at `zoom` (0…22)."""
    points, read, stride = _positions(vehicle_id, start, end)
    lines = [_simplified(line, zoom) for line in _lines(points)]
    return Track(lines, read, stride)


def _positions(vehicle_id: int, start: datetime, end: datetime) -> tuple[list[Point], int, int]:
    points: list[Point] = []
    read, stride = 0, 1
    after = (start - timedelta(microseconds=1), 2**31 - 1)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT time, lon, lat, reading_id FROM telemetry_vehicle_reading"
                " WHERE vehicle_id = %s AND time >= %s AND time < %s"
                " AND (time, reading_id) > (%s, %s)"
                " AND lat IS NOT NULL AND lon IS NOT NULL"
                " ORDER BY time, reading_id LIMIT %s",
                [vehicle_id, after[0], end, *after, _PAGE],
            )
            page = cursor.fetchall()
        for time, lon, lat, _ in page:
            if read % stride == 0:
                points.append(Point(time, lon, lat))
            read += 1
        while len(points) > MAX_POINTS:
            del points[1::2]
            stride *= 2
        if len(page) < _PAGE:
            return points, read, stride
        after = (page[-1][0], page[-1][3])


def _lines(points: list[Point]) -> list[list[Point]]:
    """Cut at gaps, and where the way crosses the antimeridian."""
    lines: list[list[Point]] = []
    before: Point | None = None
    for point in points:
        if before is None or point.time - before.time > GAP or abs(point.lon - before.lon) > 180:
            lines.append([])
        lines[-1].append(point)
        before = point
    return lines


def _simplified(line: list[Point], zoom: int) -> list[Point]:
    """Douglas-Peucker to one pixel of a web map (256 · 2^zoom pixels around the equator)."""
    if len(line) < 3:
        return line
    shrink = max(math.cos(math.radians(line[len(line) // 2].lat)), 0.01)
    tolerance = 360 / (256 * 2**zoom) * shrink
    # The third coordinate carries the place in the line through the simplification.
    flat = LineString([(p.lon * shrink, p.lat, at) for at, p in enumerate(line)])
    kept = flat.simplify(tolerance, preserve_topology=False)
    return [line[int(coordinate[2])] for coordinate in kept.coords]


def feature(found: Track, properties: dict[str, Any]) -> dict[str, Any]:
    """A GeoJSON Feature (RFC 7946) with a MultiLineString; `times` runs beside its coordinates."""
    lines = [line if len(line) > 1 else line * 2 for line in found.lines]
    return {
        "type": "Feature",
        "geometry": {
            "type": "MultiLineString",
            "coordinates": [[[p.lon, p.lat] for p in line] for line in lines],
        },
        "properties": {
            **properties,
            "positions": found.read,
            "every": found.stride,
            "times": [[p.time for p in line] for line in lines],
        },
    }
