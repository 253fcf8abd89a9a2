"""How geofences look on pages."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from alerts.engine.fences import Circle, Corridor, Shape
from alerts.geofence_form import KINDS
from alerts.shapes import area_m2, length_m
from tenants.models import Organisation, Units

register = template.Library()

_M_PER_MILE = 1609.344
_NAMES = dict(KINDS)


@register.filter
def kind_of(kind: str) -> str:
    return str(_NAMES.get(kind, kind))


@register.filter
def size_of(shape: Shape, organisation: Organisation | None = None) -> str:
    """`radius 500 m`, `1.24 km²`, `12.3 km long, 200 m wide`."""
    imperial = organisation is not None and organisation.units == Units.IMPERIAL
    if isinstance(shape, Circle):
        return _("radius %s") % _length(shape.radius_m, imperial)
    if isinstance(shape, Corridor):
        long, wide = _length(length_m(shape), imperial), _length(shape.width_m, imperial)
        return _("%(long)s long, %(wide)s wide") % {"long": long, "wide": wide}
    return _area(area_m2(shape), imperial)


def _length(metres: float, imperial: bool) -> str:
    if imperial:
        miles = metres / _M_PER_MILE
        return f"{metres * 3.28084:,.0f} ft" if miles < 0.2 else f"{miles:,.1f} mi"
    return f"{metres:,.0f} m" if metres < 2000 else f"{metres / 1000:,.1f} km"


def _area(square_metres: float, imperial: bool) -> str:
    if imperial:
        miles = square_metres / _M_PER_MILE**2
        return f"{square_metres / 4046.86:,.1f} acres" if miles < 1 else f"{miles:,.1f} mi²"
    return (
        f"{square_metres:,.0f} m²"
        if square_metres < 100_000
        else f"{square_metres / 1_000_000:,.2f} km²"
    )
