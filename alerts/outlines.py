"""Geofences as GeoJSON areas, for maps: a circle becomes a ring, a corridor its strip."""

from __future__ import annotations

from math import cos, pi, radians, sin
from typing import Any, Final

import shapely
from shapely import affinity
from shapely.geometry import mapping

from alerts.engine.fences import METRES_PER_DEGREE, Circle, Corridor, decode_shape

CORNERS: Final = 72


def outline(shape: dict[str, Any]) -> dict[str, Any]:
    """A GeoJSON geometry. Raises InvalidShape."""
    decoded = decode_shape(shape)
    if isinstance(decoded, Circle):
        lon, lat = decoded.centre
        north = decoded.radius_m / METRES_PER_DEGREE
        east = north / max(cos(radians(lat)), 0.01)
        turns = [2 * pi * n / CORNERS for n in range(CORNERS + 1)]
        ring = [[lon + east * cos(t), lat + north * sin(t)] for t in turns]
        return {"type": "Polygon", "coordinates": [ring]}
    if isinstance(decoded, Corridor):
        line = shapely.LineString(decoded.line)
        squeeze = max(cos(radians(line.centroid.y)), 0.01)
        square = affinity.scale(line, xfact=squeeze, yfact=1.0, origin=(0, 0))
        strip = square.buffer(decoded.width_m / 2 / METRES_PER_DEGREE)
        geometry: dict[str, Any] = mapping(
            affinity.scale(strip, xfact=1 / squeeze, yfact=1.0, origin=(0, 0))
        )
        return geometry
    rings = [[list(position) for position in ring] for ring in decoded.rings]
    return {
        "type": "Polygon",
        "coordinates": [ring if ring[0] == ring[-1] else [*ring, ring[0]] for ring in rings],
    }
