"""History: append-only hypertables, one chunk a day.

Subjects are referred to by id without foreign keys: history outlives the things it is
about, and a check per row would be paid on every reading. Only retention removes rows.
"""

from __future__ import annotations

from django.db import models

from telemetry.models.values import MeterValues, Received, VehicleValues


class VehicleReadingRow(Received, VehicleValues):
    """One stored vehicle reading."""

    pk = models.CompositePrimaryKey("vehicle_id", "time", "reading_id")
    vehicle_id = models.BigIntegerField()

    class Meta:
        db_table = "telemetry_vehicle_reading"
        verbose_name = "vehicle reading"

    def __str__(self) -> str:
        return f"vehicle {self.vehicle_id} at {self.time:%Y-%m-%d %H:%M:%S}"


class MeterReadingRow(Received, MeterValues):
    """One stored meter reading."""

    pk = models.CompositePrimaryKey("meter_id", "time", "reading_id")
    meter_id = models.BigIntegerField()

    class Meta:
        db_table = "telemetry_meter_reading"
        verbose_name = "meter reading"

    def __str__(self) -> str:
        return f"meter {self.meter_id} at {self.time:%Y-%m-%d %H:%M:%S}"
