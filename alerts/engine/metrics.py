"""The values a rule may look at: every field, attributes by name, and derived ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from telemetry.fields import MAX_NAME_LENGTH, METER_FIELDS, VEHICLE_FIELDS, Kind
from telemetry.records import Reading

ATTRIBUTE = "attributes."


@dataclass(frozen=True, slots=True)
class Metric:
    """`extract` is None for a plain field, which is read by its name."""

    name: str
    label: str
    unit: str
    kind: Kind
    extract: Callable[[Any], Any] | None = None


class UnknownMetric(ValueError):
    """No reading of this kind of subject has such a value."""


def ingest_lag_s(reading: Reading) -> float:
    """Seconds from the device's clock to the server's."""
    return (reading.received_at - reading.time) / 1_000_000


IDLE_CURRENT_A = 0.5
"""A battery current within this is no charging: sensors do not rest at exactly zero."""


def charging_without_energy(reading: Any) -> bool | None:
    """It says that it charges, and nothing flows. None where the reading cannot tell."""
    if reading.charging is None:
        return None
    if not reading.charging:
        return False
    if reading.energy_dc_kwh is not None:
        return bool(reading.energy_dc_kwh <= 0)
    if reading.battery_current_a is not None:
        return bool(abs(reading.battery_current_a) < IDLE_CURRENT_A)
    return None


_DERIVED_BOTH = {
    "ingest_lag_s": Metric("ingest_lag_s", "Ingest lag", "s", Kind.NUMBER, ingest_lag_s)
}
_DERIVED_VEHICLE = {
    "charging_without_energy": Metric(
        "charging_without_energy",
        "Charging without energy",
        "",
        Kind.BOOLEAN,
        charging_without_energy,
    )
}


def _attribute(name: str) -> Callable[[Any], Any]:
    def extract(reading: Any) -> Any:
        attributes = reading.attributes
        return None if attributes is None else attributes.get(name)

    return extract


def metric(subject: str, name: str) -> Metric:
    """The metric of that name for vehicles ("v") or meters ("m"). Raises UnknownMetric."""
    found = available(subject).get(name)
    if found is not None:
        return found
    attribute = name.removeprefix(ATTRIBUTE)
    if attribute != name and 0 < len(attribute) <= MAX_NAME_LENGTH:
        return Metric(name, attribute, "", Kind.NUMBER, _attribute(attribute))
    raise UnknownMetric(f"There is no value named {name!r}.")


def extractor(subject: str, name: str) -> Callable[[Any], Any]:
    """Takes the value out of a reading. Raises UnknownMetric."""
    if subject == "v" and name == "alarms":  # a list: for the kind of its own alone
        return attrgetter(name)
    return metric(subject, name).extract or attrgetter(name)


def available(subject: str) -> dict[str, Metric]:
    """Every metric but the attributes, whose names are the devices' own."""
    return _VEHICLE if subject == "v" else _METER


_VEHICLE = {
    field.name: Metric(field.name, field.label, field.unit, field.kind)
    for field in VEHICLE_FIELDS.values()
} | (_DERIVED_BOTH | _DERIVED_VEHICLE)
_METER = {
    field.name: Metric(field.name, field.label, field.unit, field.kind)
    for field in METER_FIELDS.values()
} | _DERIVED_BOTH
