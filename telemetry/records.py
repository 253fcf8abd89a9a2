"""A reading, as it lies in the logs and travels between processes.

Positional msgspec Structs (`array_like`), tagged by kind. Times are integer microseconds
since 1970 in UTC. A log outlives a deployment: append fields with defaults, never reorder.
Identity is (vehicle or meter, time, reading_id).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

SCHEMA_VERSION = 1

Attributes = dict[str, bool | int | float | str | None]


class VehicleReading(msgspec.Struct, frozen=True, array_like=True, tag="v", kw_only=False):
    """What a vehicle reported at one moment. A value of None was not sent.

    `invalid` names what was sent but is not believed ("position" for 0,0): missing and
    invalid are different things.
    """

    schema: int
    tenant_id: int
    device_id: int | None
    """None where an integration's token sent the reading for the vehicle."""
    vehicle_id: int
    time: int
    received_at: int
    reading_id: int
    """Signed 32-bit digest of the canonical content."""
    protocol: str
    lat: float | None = None
    lon: float | None = None
    altitude_m: float | None = None
    heading_deg: float | None = None
    speed_kmh: float | None = None
    accuracy_m: float | None = None
    satellites: int | None = None
    odometer_km: float | None = None
    ignition: bool | None = None
    soc_pct: float | None = None
    range_km: float | None = None
    battery_temp_c: float | None = None
    battery_voltage_v: float | None = None
    battery_current_a: float | None = None
    energy_dc_kwh: Decimal | None = None
    charging: bool | None = None
    fuel_pct: float | None = None
    engine_rpm: float | None = None
    coolant_temp_c: float | None = None
    ambient_temp_c: float | None = None
    supply_voltage_v: float | None = None
    driver: str | None = None
    alarms: tuple[str, ...] | None = None
    attributes: Attributes | None = None
    invalid: tuple[str, ...] | None = None


class MeterReading(msgspec.Struct, frozen=True, array_like=True, tag="m", kw_only=False):
    """What a charging meter reported at one moment."""

    schema: int
    tenant_id: int
    device_id: int | None
    meter_id: int
    time: int
    received_at: int
    reading_id: int
    protocol: str
    energy_ac_kwh: Decimal | None = None
    voltage_v: float | None = None
    current_a: float | None = None
    power_kw: float | None = None
    attributes: Attributes | None = None
    invalid: tuple[str, ...] | None = None


Reading = VehicleReading | MeterReading
