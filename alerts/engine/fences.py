"""Geofences as tests for a position. Degrees WGS 84; distances in metres.

A circle is judged by its distance (equirectangular about the centre: within 0.4 % up to
tens of kilometres), polygons and corridors by prepared shapely geometries. A fence that
crosses the antimeridian is shifted to 0…360 degrees of longitude.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, radians
from typing import Annotated

import msgspec
import shapely
from shapely import affinity

METRES_PER_DEGREE = 111_320.0
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Latitude = Annotated[float, msgspec.Meta(ge=-85, le=85)]
Position = tuple[Longitude, Latitude]
"""Longitude first, as in GeoJSON."""


class Circle(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="circle"
):
    centre: Position
    radius_m: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)]


class Polygon(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="polygon"
):
    """An outer ring, then holes; rings may be left open."""

    rings: Annotated[
        tuple[Annotated[tuple[Position, ...], msgspec.Meta(min_length=3, max_length=5000)], ...],
        msgspec.Meta(min_length=1, max_length=20),
    ]


class Corridor(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="corridor"
):
    """Everything within half the width of a line."""

    line: Annotated[tuple[Position, ...], msgspec.Meta(min_length=2, max_length=5000)]
    width_m: Annotated[float, msgspec.Meta(gt=0, le=100_000)]


Shape = Circle | Polygon | Corridor


class InvalidShape(ValueError):
    """Not a shape anything could be inside of; the message is for a person."""


def decode_shape(shape: object) -> Shape:
    """Raises InvalidShape."""
    try:
        decoded: Shape = msgspec.convert(shape, Shape)
    except msgspec.ValidationError as error:
        raise InvalidShape(str(error)) from error
    compile_shape(decoded)
    return decoded


def compile_shape(shape: Shape, *, margin_m: float = 0.0) -> Callable[[float, float], bool]:
    """A test (lat, lon) -> inside the shape, widened by the margin. Raises InvalidShape."""
    if isinstance(shape, Circle):
        return _inside_circle(shape.centre[1], shape.centre[0], shape.radius_m + margin_m)
    if isinstance(shape, Corridor):
        return _inside_area([shape.line], shape.width_m / 2 + margin_m, is_line=True)
    return _inside_area(shape.rings, margin_m, is_line=False)


def _inside_circle(lat0: float, lon0: float, radius_m: float) -> Callable[[float, float], bool]:
    squeeze = cos(radians(lat0))
    limit = (radius_m / METRES_PER_DEGREE) ** 2
    reach = radius_m / METRES_PER_DEGREE

    def inside(lat: float, lon: float) -> bool:
        north = lat - lat0
        if north > reach or north < -reach:
            return False
        east = (lon - lon0 + 180.0) % 360.0 - 180.0
        east *= squeeze
        return north * north + east * east <= limit

    return inside


def _why_invalid(area: shapely.Polygon) -> str:
    if area.convex_hull.area == 0:
        return "The outline encloses nothing."
    reason = str(shapely.is_valid_reason(area))
    crosses = "self-intersection" in reason.lower()
    return f"The outline crosses itself: {reason}" if crosses else f"The outline is none: {reason}"


def _inside_area(
    lines: tuple[tuple[Position, ...], ...] | list[tuple[Position, ...]],
    buffer_m: float,
    *,
    is_line: bool,
) -> Callable[[float, float], bool]:
    longitudes = [lon for line in lines for lon, _ in line]
    shifted = max(longitudes) - min(longitudes) > 180
    placed = [[(lon % 360.0 if shifted else lon, lat) for lon, lat in line] for line in lines]
    area = shapely.LineString(placed[0]) if is_line else shapely.Polygon(placed[0], placed[1:])
    if not is_line and not area.is_valid:
        raise InvalidShape(_why_invalid(area))
    if buffer_m:
        # Buffered where a degree is as long eastwards as it is northwards.
        squeeze = cos(radians(area.centroid.y))
        square = affinity.scale(area, xfact=squeeze, yfact=1.0, origin=(0, 0))
        widened = square.buffer(buffer_m / METRES_PER_DEGREE)
        area = affinity.scale(widened, xfact=1 / squeeze, yfact=1.0, origin=(0, 0))
    if area.is_empty or area.area == 0:
        raise InvalidShape("The outline encloses nothing.")
    shapely.prepare(area)
    west, south, east, north = area.bounds
    contains = shapely.intersects_xy

    def inside(lat: float, lon: float) -> bool:
        if shifted:
            lon %= 360.0
        # Most vehicles are nowhere near most fences.
        if lat < south or lat > north or lon < west or lon > east:
            return False
        return bool(contains(area, lon, lat))

    return inside
