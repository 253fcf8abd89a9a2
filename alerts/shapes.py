"""Shapes of geofences as people write, measure and exchange them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from math import cos, hypot, pi, radians
from typing import Any

import shapely
from django.utils.translation import gettext as _
from shapely import affinity

from alerts.engine.fences import METRES_PER_DEGREE, Circle, Corridor, InvalidShape, Polygon, Shape

MOST_POINTS = 5000
"""Of an outline or a line, as `alerts.engine.fences` takes them."""
HIGHEST_LATITUDE = 85.0
"""Where the map ends."""
_SEPARATORS = re.compile(r"[\s,;]+")


def position(latitude: Any, longitude: Any) -> list[float]:
    """[longitude, latitude]. Raises InvalidShape."""
    for value in (latitude, longitude):
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise InvalidShape(_("No number: %s") % str(value)[:40])
    if abs(latitude) > HIGHEST_LATITUDE:
        raise InvalidShape(_("The latitude %s is not between −85 and 85.") % str(latitude)[:40])
    if abs(longitude) > 180:
        raise InvalidShape(_("The longitude %s is not between −180 and 180.") % str(longitude)[:40])
    return [float(longitude), float(latitude)]


def read_points(text: str) -> list[list[list[float]]]:
    """Lines of "latitude, longitude"; an empty line begins the next ring."""
    rings: list[list[list[float]]] = [[]]
    for number, line in enumerate(text.splitlines(), start=1):
        parts = [part for part in _SEPARATORS.split(line.strip()) if part]
        if not parts:
            rings.append([])
            continue
        try:
            latitude, longitude = (float(part) for part in parts)
        except ValueError:
            raise InvalidShape(
                _("Line %(n)d is not “latitude, longitude”: %(line)s")
                % {"n": number, "line": line.strip()[:40]}
            ) from None
        rings[-1].append(position(latitude, longitude))
        if len(rings[-1]) > MOST_POINTS:
            raise too_many_points()
    return [ring for ring in rings if ring]


def too_many_points() -> InvalidShape:
    return InvalidShape(_("An outline has at most %s points. Simplify it first.") % "5,000")


def written_points(rings: Sequence[Sequence[Sequence[float]]]) -> str:
    """What `read_points` reads."""
    return "\n\n".join(
        "\n".join(f"{_plain(lat)}, {_plain(lon)}" for lon, lat in ring) for ring in rings
    )


def area_m2(shape: Shape) -> float:
    """Of the ground inside, to about a percent."""
    if isinstance(shape, Circle):
        return pi * shape.radius_m**2
    if isinstance(shape, Corridor):
        ends = pi * (shape.width_m / 2) ** 2
        return length_m(shape) * shape.width_m + ends
    assert isinstance(shape, Polygon)  # noqa: S101  (the only one left; tells the type checker)
    area = shapely.Polygon(_unwrapped(shape.rings[0]), [_unwrapped(r) for r in shape.rings[1:]])
    squeezed = affinity.scale(area, xfact=cos(radians(area.centroid.y)), origin=(0, 0))
    return float(squeezed.area) * METRES_PER_DEGREE**2


def length_m(corridor: Corridor) -> float:
    """Of the corridor's line."""
    line = _unwrapped(corridor.line)
    return sum(
        hypot((x1 - x0) * cos(radians((y0 + y1) / 2)), y1 - y0) * METRES_PER_DEGREE
        for (x0, y0), (x1, y1) in pairwise(line)
    )


def _unwrapped(line: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Beyond the antimeridian longitudes go on growing."""
    longitudes = [lon for lon, _ in line]
    shifted = max(longitudes) - min(longitudes) > 180
    return [(lon % 360 if shifted else lon, lat) for lon, lat in line]


def _plain(number: float) -> str:
    return f"{number:.7f}".rstrip("0").rstrip(".")
