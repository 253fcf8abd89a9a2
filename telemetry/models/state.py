"""Latest state: exactly one row per vehicle and per meter, in step with history.

Readings may be partial, so the row merges field by field: of each field the value with the
greatest (time, reading_id) stands. `time` and `reading_id` are those of the newest reading;
`older` holds {field: [time in microseconds, reading_id]} for the fields whose value comes
from an earlier one (attributes as "attributes.NAME").
"""

from __future__ import annotations

from django.db import models

from telemetry.models.values import MeterValues, Received, VehicleValues


class VehicleLatest(Received, VehicleValues):
    """What is true of a vehicle now."""

    vehicle_id = models.BigIntegerField(primary_key=True)
    older = models.JSONField(default=dict)

    class Meta:
        db_table = "telemetry_vehicle_latest"
        verbose_name = "latest vehicle state"
        indexes = [models.Index(fields=["tenant_id"])]

    def __str__(self) -> str:
        return f"vehicle {self.vehicle_id}"


class MeterLatest(Received, MeterValues):
    """What is true of a meter now."""

    meter_id = models.BigIntegerField(primary_key=True)
    older = models.JSONField(default=dict)

    class Meta:
        db_table = "telemetry_meter_latest"
        verbose_name = "latest meter state"
        indexes = [models.Index(fields=["tenant_id"])]

    def __str__(self) -> str:
        return f"meter {self.meter_id}"
