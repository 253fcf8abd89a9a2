"""How values look on every page: times in the organisation's zone, units as it prefers.

Values that are not there show as a dash, never as zero: a template hands None on, or ""
where what it looked into was missing.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django import template
from django.forms import BoundField
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from tenants.models import Organisation, Scope
from tenants.preferences import is_imperial, zone_of
from tenants.zones import offsets_about

register = template.Library()

DASH = "–"
KM_PER_MILE = 1.609344
Number = int | float | Decimal


@register.filter
def moment(value: object, organisation: Organisation | None = None) -> SafeString | str:
    """`21 Nov 2026, 10:42:18` in the organisation's zone, UTC on hover."""
    if not isinstance(value, datetime):
        return DASH
    local = value.astimezone(_zone(organisation))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        _iso(value),
        f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        f"{local.day} {local:%b %Y, %H:%M:%S}",
    )


@register.filter
def day(value: object, organisation: Organisation | None = None) -> SafeString | str:
    """`21 Nov 2026` in the organisation's zone, UTC on hover."""
    if not isinstance(value, datetime):
        return DASH
    local = value.astimezone(_zone(organisation))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        _iso(value),
        f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        f"{local.day} {local:%b %Y}",
    )


@register.filter
def ago(value: object, organisation: Organisation | None = None) -> SafeString | str:
    """`3 min ago`, with the moment in the organisation's zone and in UTC on hover."""
    if not isinstance(value, datetime):
        return DASH
    local = value.astimezone(_zone(organisation))
    seconds = (timezone.now() - value).total_seconds()
    words = (
        gettext("in %(time)s") % {"time": duration(-seconds)}
        if seconds < -1
        else gettext("%(time)s ago") % {"time": duration(max(seconds, 0))}
    )
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>',
        _iso(value),
        f"{local.day} {local:%b %Y, %H:%M:%S %Z} · {value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        words,
    )


@register.filter
def duration(seconds: object) -> str:
    """`850 ms`, `4.2 s`, `12 min`, `3 h 10 min`, `5 days`."""
    if not isinstance(seconds, Number):
        return DASH
    s = float(seconds)
    if abs(s) < 1:
        return f"{s * 1000:.0f} ms" if s else "0 s"
    if abs(s) < 10:
        return f"{s:.1f} s"
    if abs(s) < 60:
        return f"{s:.0f} s"
    if abs(s) < 3600:
        return f"{s / 60:.0f} min"
    if abs(s) < 172_800:
        minutes = round(s / 60)
        return f"{int(minutes / 60)} h {abs(minutes) % 60} min"
    days = round(s / 86_400)
    return ngettext("%(n)d day", "%(n)d days", abs(days)) % {"n": days}


@register.filter
def milliseconds(value: object) -> str:
    """A duration that is kept in milliseconds."""
    if not isinstance(value, Number):
        return DASH
    return duration(float(value) / 1000) if value else "0 ms"


@register.filter
def distance(km: object, organisation: Organisation | None = None) -> str:
    """Kilometres, or miles by preference."""
    if not isinstance(km, Number):
        return DASH
    if _imperial(organisation):
        return f"{float(km) / KM_PER_MILE:,.1f} mi"
    return f"{km:,.1f} km"


@register.filter
def speed(kmh: object, organisation: Organisation | None = None) -> str:
    """Kilometres or miles an hour."""
    if not isinstance(kmh, Number):
        return DASH
    if _imperial(organisation):
        return f"{float(kmh) / KM_PER_MILE:.0f} mph"
    return f"{kmh:.0f} km/h"


@register.filter
def temperature(celsius: object, organisation: Organisation | None = None) -> str:
    """Degrees Celsius or Fahrenheit."""
    if not isinstance(celsius, Number):
        return DASH
    if _imperial(organisation):
        return f"{float(celsius) * 9 / 5 + 32:.1f} °F"
    return f"{celsius:.1f} °C"


DIGITS = {"km/h": 0, "%": 0, "km": 1, "°C": 1, "V": 1, "A": 1, "kW": 1, "kWh": 2, "m": 0}


@register.simple_tag
def reading(value: object, unit: str = "", organisation: Organisation | None = None) -> str:
    """A reported value with its unit, as the organisation prefers it."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if not isinstance(value, Number):
        return str(value)
    convert = {"km": distance, "km/h": speed, "°C": temperature}.get(unit)
    if convert is not None:
        return convert(value, organisation)
    if unit == "°":
        # A place needs five digits, a heading has none of them: as many as there are.
        return f"{value:.5f}".rstrip("0").rstrip(".") + unit
    return f"{value:,.{DIGITS.get(unit, 0)}f} {unit}".rstrip()


@register.filter
def count(value: object) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,}" if isinstance(value, Number) else DASH


@register.filter
def or_dash(value: object) -> object:
    return DASH if value in (None, "") else value


def _zone(organisation: Organisation | None) -> ZoneInfo:
    return zone_of(organisation if isinstance(organisation, Organisation) else None)


def _imperial(organisation: Organisation | None) -> bool:
    return isinstance(organisation, Organisation) and is_imperial(organisation)


@register.filter
def scope_label(scope: str) -> str:
    """What a token may do, in words; a scope of another version stands for itself."""
    return str(dict(Scope.choices).get(scope, scope))


@register.filter
def without_placeholder(field: BoundField) -> SafeString:
    """A field whose label says it all: no paler second label lies in it."""
    return field.as_widget(attrs={"placeholder": ""})


@register.filter
def clock_offsets(organisation: Organisation | None) -> str:
    """What the clock of the page's times is ahead of UTC, for its scripts: JSON."""
    return json.dumps(offsets_about(_zone(organisation), timezone.now().date()))


@register.filter
def zone_name(organisation: Organisation | None) -> str:
    """Of the zone that the page's times are in."""
    return _zone(organisation).key


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@register.filter
def browser_name(agent: str) -> str:
    """`Firefox on Linux` of a User-Agent; the first words of one that is not known."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if browser and system:
        return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or agent[:40] or gettext("Unknown")
