"""Everything a vehicle told last, each value with its own age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext as _

from telemetry.attribute_series import described
from telemetry.clock import from_us
from telemetry.fields import VEHICLE_FIELDS
from telemetry.models import VehicleLatest

HIDDEN: Final = frozenset({"lat", "lon"})
"""The map says it better."""


@dataclass(frozen=True)
class Signal:
    label: str
    value: Any
    unit: str
    time: datetime
    """By the device's clock."""


def signals_of(state: VehicleLatest | None) -> list[Signal]:
    """Fields in their usual order, then attributes by name."""
    if state is None:
        return []
    found = []
    for name, field in VEHICLE_FIELDS.items():
        value = getattr(state, name)
        if value is None or name in HIDDEN:
            continue
        unit = field.unit
        if name == "heading_deg":
            value, unit = f"{value:.0f}°", ""  # The five digits of a degree are for places.
        found.append(Signal(str(_(field.label)), value, unit, _time_of(state, name)))
    for name, value in sorted((state.attributes or {}).items()):
        field = described(name)
        found.append(Signal(field.label, value, field.unit, _time_of(state, f"attributes.{name}")))
    return found


def _time_of(state: VehicleLatest, name: str) -> datetime:
    """When a value was sent: with the newest reading, or in an older one."""
    older = state.older.get(name)
    return from_us(older[0]) if older else state.time
