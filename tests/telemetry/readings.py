"""Readings for the tests of storage."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal

from telemetry.records import MeterReading, VehicleReading

T0 = 1_772_366_400_000_000
"""2026-03-01T12:00:00Z in microseconds."""
SECOND = 1_000_000
_ids = itertools.count(1)


def vehicle_reading(vehicle_id=1, *, at=T0, rid=None, tenant_id=1, device_id=None, **values):
    values.setdefault("received_at", at + 200_000)
    return VehicleReading(
        schema=1,
        tenant_id=tenant_id,
        device_id=device_id or vehicle_id + 1000,
        vehicle_id=vehicle_id,
        time=at,
        reading_id=next(_ids) if rid is None else rid,
        protocol="telemetry.v1",
        **values,
    )


def meter_reading(meter_id=1, *, at=T0, rid=None, tenant_id=1, energy=None, **values):
    values.setdefault("received_at", at + 200_000)
    return MeterReading(
        schema=1,
        tenant_id=tenant_id,
        device_id=None,
        meter_id=meter_id,
        time=at,
        reading_id=next(_ids) if rid is None else rid,
        protocol="http.v1",
        energy_ac_kwh=None if energy is None else Decimal(energy),
        **values,
    )


def moment(microseconds):
    return datetime.fromtimestamp(microseconds / 1_000_000, tz=UTC)
