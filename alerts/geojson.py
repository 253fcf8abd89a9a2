"""Geofences from and to GeoJSON (RFC 7946).

Polygons are polygons. GeoJSON has no circle and no corridor: a circle is a point with the
property `radius_m`, a corridor a line with the property `width_m`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from django.utils.translation import gettext as _

from alerts.engine.fences import InvalidShape, decode_shape
from alerts.shapes import MOST_POINTS, position, too_many_points
from fleet.geofences import COLOUR, Geofence
from fleet.models import REFERENCE_PATTERN
from tenants.errors import DomainError

Json = dict[str, Any]
MOST_BYTES = 5 * 1024 * 1024
MOST_FEATURES = 500
SHOWN = 10
"""Errors told of; all are counted."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A geofence as a file has it. `reference` is empty where the file names none."""

    reference: str
    name: str
    shape: Json
    colour: str


def read_geojson(body: bytes) -> list[Imported]:
    """All of a file. Raises DomainError `invalid_geojson` that says what is wrong where."""
    if len(body) > MOST_BYTES:
        raise _refused(_("The file is larger than 5 MB."))
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _refused(_("This is not JSON: %s") % error) from error
    features = _features(document)
    found, errors = [], []
    for number, feature in enumerate(features, start=1):
        try:
            found.append(_read(feature, number))
        except InvalidShape as error:
            errors.append(_("Feature %(n)d: %(error)s") % {"n": number, "error": error})
    names = [each.reference for each in found if each.reference]
    twice = sorted({name for name in names if names.count(name) > 1})
    errors += [_("The id %s is there more than once.") % name for name in twice]
    if errors:
        more = len(errors) - SHOWN
        told = errors[:SHOWN] + ([_("And %d more.") % more] if more > 0 else [])
        raise _refused(" ".join(told))
    return found


def write_geojson(fences: Iterable[Geofence]) -> Json:
    """What `read_geojson` reads."""
    return {"type": "FeatureCollection", "features": [_feature(fence) for fence in fences]}


def _refused(detail: str) -> DomainError:
    return DomainError("invalid_geojson", 422, detail, field="file")


def _features(document: Any) -> list[Any]:
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "Feature":
        return [document]
    features = document.get("features") if kind == "FeatureCollection" else None
    if not isinstance(features, list):
        raise _refused(_("A FeatureCollection or a Feature of GeoJSON is needed."))
    if not features:
        raise _refused(_("There is nothing in the file."))
    if len(features) > MOST_FEATURES:
        raise _refused(_("A file has at most %d geofences.") % MOST_FEATURES)
    return features


def _read(feature: Any, number: int) -> Imported:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise InvalidShape(_("It is no Feature."))
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        raise InvalidShape(_("Its properties are no object."))
    shape = _shape(feature.get("geometry"), properties)
    decode_shape(shape)
    name = properties.get("name") or _("Geofence %d") % number
    if not isinstance(name, str) or not name.isprintable() or len(name) > 120:
        raise InvalidShape(_("A name is a text of up to 120 letters."))
    colour = properties.get("colour", COLOUR)
    if not isinstance(colour, str) or not is_colour(colour):
        raise InvalidShape(_("A colour is written like #2f6fed."))
    return Imported(_reference(feature.get("id")), name, shape, colour)


def is_colour(text: str) -> bool:
    return len(text) == 7 and text[0] == "#" and set(text[1:]) <= set("0123456789abcdef")


def _reference(found: Any) -> str:
    if found is None:
        return ""
    text = str(found) if isinstance(found, str | int) else ""
    if not re.fullmatch(REFERENCE_PATTERN, text):
        raise InvalidShape(_("Its id is not made of letters, digits, dots and dashes."))
    return text


def _shape(geometry: Any, properties: Json) -> Json:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if kind == "MultiPolygon" and isinstance(coordinates, list) and len(coordinates) == 1:
        kind, coordinates = "Polygon", coordinates[0]
    if kind == "Polygon":
        if not isinstance(coordinates, list) or not coordinates:
            raise InvalidShape(_("The outline is empty."))
        return {"type": "polygon", "rings": [_open(_line(ring)) for ring in coordinates]}
    if kind == "Point":
        centre = _line([coordinates])[0]
        return {"type": "circle", "centre": centre, "radius_m": _metres(properties, "radius_m")}
    if kind == "LineString":
        width = _metres(properties, "width_m")
        return {"type": "corridor", "line": _line(coordinates), "width_m": width}
    if kind == "MultiPolygon":
        raise InvalidShape(_("It has several parts. Make a geofence of each."))
    raise InvalidShape(_("Its geometry is no Polygon, no Point and no LineString."))


def _line(coordinates: Any) -> list[list[float]]:
    if not isinstance(coordinates, list) or not coordinates:
        raise InvalidShape(_("The outline is empty."))
    if len(coordinates) > MOST_POINTS + 1:
        raise too_many_points()
    line = []
    for found in coordinates:
        # A third number is the height.
        if not isinstance(found, list) or len(found) not in (2, 3):
            raise InvalidShape(_("A position is a list of longitude and latitude."))
        line.append(position(found[1], found[0]))
    return line


def _open(ring: list[list[float]]) -> list[list[float]]:
    """Without the first position said again at the end."""
    return ring[:-1] if len(ring) > 3 and ring[0] == ring[-1] else ring


def _metres(properties: Json, name: str) -> float:
    value = properties.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidShape(_("It needs the property %s: a number of metres.") % name)
    return float(value)


def _feature(fence: Geofence) -> Json:
    shape = fence.shape
    properties: Json = {"name": fence.name, "colour": fence.colour}
    if shape["type"] == "circle":
        geometry: Json = {"type": "Point", "coordinates": shape["centre"]}
        properties["radius_m"] = shape["radius_m"]
    elif shape["type"] == "corridor":
        geometry = {"type": "LineString", "coordinates": shape["line"]}
        properties["width_m"] = shape["width_m"]
    else:
        rings = [ring if ring[0] == ring[-1] else [*ring, ring[0]] for ring in shape["rings"]]
        geometry = {"type": "Polygon", "coordinates": rings}
    return {
        "type": "Feature",
        "id": fence.reference,
        "properties": properties,
        "geometry": geometry,
    }
