"""Every named value a reading may carry, with its unit and the range a real one lies in.

This table is the contract: the wire schema, the columns of history, the API's `fields`
filter, the roll-ups and the units on screen are all derived from it. New fields are
appended, never inserted: records in the logs are positional and outlive a deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"
    ENERGY = "energy"
    """Decimal kilowatt-hours since the device's previous reading, kept to the milliwatt-hour."""


@dataclass(frozen=True, slots=True)
class Field:
    """`low` and `high` are inclusive; `label` and `unit` are for people."""

    name: str
    kind: Kind
    label: str
    unit: str = ""
    low: float | None = None
    high: float | None = None


def _table(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


VEHICLE_FIELDS: dict[str, Field] = _table(
    Field("lat", Kind.NUMBER, "Latitude", "°", -90, 90),
    Field("lon", Kind.NUMBER, "Longitude", "°", -180, 180),
    Field("altitude_m", Kind.NUMBER, "Altitude", "m", -1000, 20000),
    Field("heading_deg", Kind.NUMBER, "Heading", "°", 0, 360),
    Field("speed_kmh", Kind.NUMBER, "Speed", "km/h", 0, 500),
    Field("accuracy_m", Kind.NUMBER, "Accuracy", "m", 0, 100_000),
    Field("satellites", Kind.INTEGER, "Satellites", "", 0, 200),
    Field("odometer_km", Kind.NUMBER, "Odometer", "km", 0, 10_000_000),
    Field("ignition", Kind.BOOLEAN, "Ignition"),
    Field("soc_pct", Kind.NUMBER, "State of charge", "%", 0, 100),
    Field("range_km", Kind.NUMBER, "Range", "km", 0, 10_000),
    Field("battery_temp_c", Kind.NUMBER, "Battery temperature", "°C", -80, 250),
    Field("battery_voltage_v", Kind.NUMBER, "Battery voltage", "V", 0, 5000),
    Field("battery_current_a", Kind.NUMBER, "Battery current", "A", -10_000, 10_000),
    Field("energy_dc_kwh", Kind.ENERGY, "DC energy", "kWh", 0, 100_000),
    Field("charging", Kind.BOOLEAN, "Charging"),
    Field("fuel_pct", Kind.NUMBER, "Fuel", "%", 0, 100),
    Field("engine_rpm", Kind.NUMBER, "Engine speed", "rpm", 0, 50_000),
    Field("coolant_temp_c", Kind.NUMBER, "Coolant temperature", "°C", -80, 400),
    Field("ambient_temp_c", Kind.NUMBER, "Ambient temperature", "°C", -100, 100),
    Field("supply_voltage_v", Kind.NUMBER, "Supply voltage", "V", 0, 1000),
    Field("driver", Kind.TEXT, "Driver"),
)
"""Beside these a vehicle reading may carry `alarms` (list of text) and `attributes` (scalars)."""

METER_FIELDS: dict[str, Field] = _table(
    Field("energy_ac_kwh", Kind.ENERGY, "AC energy", "kWh", 0, 100_000),
    Field("voltage_v", Kind.NUMBER, "Voltage", "V", 0, 1_000_000),
    Field("current_a", Kind.NUMBER, "Current", "A", -100_000, 100_000),
    Field("power_kw", Kind.NUMBER, "Power", "kW", -100_000, 100_000),
)
"""Beside these a meter reading may carry `attributes` (scalars)."""

MAX_ALARMS = 16
MAX_ATTRIBUTES = 64
MAX_NAME_LENGTH = 64
"""Of an alarm or of an attribute's name."""
MAX_TEXT_LENGTH = 256
"""Of a text value."""
