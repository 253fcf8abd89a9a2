"""Names and addresses of things, as templates need them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from fleet.models import Device, Referenced
from fleet.pages.palette import address_of
from telemetry.frames import detail, reason
from tenants.preferences import zone_of

register = template.Library()


@register.simple_tag
def thing_url(kind: str, row: Referenced) -> str:
    """The page of a thing: where it has none of its own, the page that changes it."""
    return address_of(kind, row.reference)


@register.filter
def status_label(status: str) -> str:
    """A vehicle's status in words."""
    return {
        "moving": gettext("Moving"),
        "idle": gettext("Idle"),
        "charging": gettext("Charging"),
        "parked": gettext("Parked"),
        "offline": gettext("Offline"),
        "no_data": gettext("Never heard"),
    }.get(str(status), str(status))


@register.filter
def reason_label(code: str) -> object:
    """Why a frame was refused, in words."""
    return reason(code)


@register.filter
def detail_in_words(text: str) -> str:
    """The detail of a refusal, for people."""
    return detail(text)


@register.filter
def moment_in_zone(value: datetime) -> str:
    """A moment that is in the zone it is to be shown in already."""
    return f"{value.day} {value:%b %H:%M}"


@register.filter
def day_in_zone(value: datetime) -> str:
    """The day of a moment that is in the zone it is to be shown in already."""
    return f"{value.day} {value:%b %Y}"


@register.simple_tag(takes_context=True)
def wall_clock(context: template.Context, value: datetime, pattern: str) -> SafeString:
    """A moment in the organisation's zone by a pattern of strftime, UTC on hover."""
    local = value.astimezone(zone_of(context["actor"].tenant))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(),
        f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        f"{local:{pattern}}",
    )


@register.simple_tag
def snippet_example(device: Device, now: datetime) -> dict[str, Any]:
    """A first reading for the snippets: what the device's subject would send."""
    time = now.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if device.meter is not None:
        values: dict[str, Any] = {"energy_ac_kwh": 0.5, "voltage_v": 230.1, "power_kw": 11}
        subject = {"meter_id": device.meter.reference}
    else:
        values = {"lat": 48.8566, "lon": 2.3522, "speed_kmh": 38.9, "soc_pct": 82.5}
        subject = {"vehicle_id": device.vehicle.reference} if device.vehicle else {}
    return {"http": {**subject, "time": time, **values}, "python": values}


@register.filter
def safe_json(value: dict[str, Any]) -> SafeString:
    """JSON for a code block; what a template would escape is escaped for HTML once."""
    text = json.dumps(value)
    return mark_safe(escape(text).replace("&quot;", '"'))  # noqa: S308 (escaped here)
