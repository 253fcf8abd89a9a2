"""Alerts in words: what a rule saw, with names and units, and where its subject is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from alerts.engine.derived import AGE, RATE, about
from alerts.engine.metrics import UnknownMetric
from alerts.models import Alert
from tenants.models import Organisation
from tenants.templatetags.display import duration, reading


@dataclass(frozen=True, slots=True)
class Saw:
    """One value: "Speed", "142 km/h"."""

    label: str
    text: str


def saw(kind: str, values: dict[str, Any], organisation: Organisation) -> list[Saw]:
    """The values of a step, a position as one of them."""
    shown = []
    if values.get("lat") is not None and values.get("lon") is not None:
        shown.append(Saw(_("Position"), f"{values['lat']:.5f}, {values['lon']:.5f}"))
    for name, value in values.items():
        if name in ("lat", "lon") or value is None:
            continue
        if isinstance(value, list):
            shown.append(Saw(_label(kind, name), ", ".join(str(each) for each in value) or "–"))
        else:
            shown.append(Saw(_label(kind, name), _text(kind, name, value, organisation)))
    return shown


def _text(kind: str, name: str, value: Any, organisation: Organisation) -> str:
    unit = _unit(kind, name)
    if name.startswith(AGE):
        return duration(value)
    if name.startswith(RATE):
        return f"{value:.3g} {unit}"
    return reading(value, unit, organisation)


def _label(kind: str, name: str) -> str:
    if name == "alarms":
        return _("Alarms")
    if name == "lag_s":
        return _("Lag")
    try:
        return about(kind, name).label
    except UnknownMetric:
        return name


def _unit(kind: str, name: str) -> str:
    if name == "lag_s":
        return "s"
    try:
        return about(kind, name).unit
    except UnknownMetric:
        return ""


def subject_url(alert: Alert) -> str:
    """The vehicle at the moment, the meter; "" for the platform."""
    if alert.kind == "v":
        at = alert.opened_at.isoformat().replace("+00:00", "Z")
        return reverse("vehicle", args=[alert.subject_reference]) + "?" + urlencode({"t": at})
    if alert.kind == "m":
        return reverse("meter", args=[alert.subject_reference])
    return ""
