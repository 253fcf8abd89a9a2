"""Daily roll-ups of closed days: what pages about months and years read.

A row is made from the hourly roll-ups of its UTC day once the day has been over for a while
(`telemetry.days`), and keeps them hour by hour in arrays of 24, so that days of any time zone
come out of it. A reading that arrives later marks the row stale in the writer's own
transaction: who reads takes the hours instead until the row is made anew.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Day(models.Model):
    day = models.DateTimeField(help_text="Midnight, UTC.")
    tenant_id = models.BigIntegerField()
    readings = models.IntegerField()
    is_stale = models.BooleanField(default=False)

    class Meta:
        abstract = True


def _hours(kind: models.Field[Any, Any]) -> ArrayField[Any, Any]:
    return ArrayField(kind, size=24, null=True)


class VehicleDay(Day):
    """One closed day of a vehicle. Energy by the hour in millionths of a kWh."""

    pk = models.CompositePrimaryKey("vehicle_id", "day")
    vehicle_id = models.BigIntegerField()
    odometer_km_min = models.FloatField(null=True)
    odometer_km_max = models.FloatField(null=True)
    km = models.FloatField(null=True)
    km_by_hour = _hours(models.FloatField())
    energy_dc_kwh_sum = models.DecimalField(max_digits=24, decimal_places=6, null=True)
    energy_dc_kwh_by_hour = _hours(models.BigIntegerField())

    class Meta:
        db_table = "telemetry_vehicle_day"
        verbose_name = "vehicle day"
        indexes = [models.Index(fields=["day"], condition=Q(is_stale=True), name="vehicle_stale")]

    def __str__(self) -> str:
        return f"vehicle {self.vehicle_id}, {self.day:%Y-%m-%d}"


class MeterDay(Day):
    """One closed day of a meter. Energy by the hour in millionths of a kWh."""

    pk = models.CompositePrimaryKey("meter_id", "day")
    meter_id = models.BigIntegerField()
    energy_ac_kwh_sum = models.DecimalField(max_digits=24, decimal_places=6, null=True)
    energy_ac_kwh_by_hour = _hours(models.BigIntegerField())

    class Meta:
        db_table = "telemetry_meter_day"
        verbose_name = "meter day"
        indexes = [models.Index(fields=["day"], condition=Q(is_stale=True), name="meter_stale")]

    def __str__(self) -> str:
        return f"meter {self.meter_id}, {self.day:%Y-%m-%d}"


class DaysClosed(models.Model):
    """Up to when days have been closed, of vehicles ("v") and of meters ("m")."""

    kind = models.CharField(max_length=1, primary_key=True)
    before = models.DateTimeField(help_text="Midnight, UTC: every day before it has its rows.")

    class Meta:
        db_table = "telemetry_days_closed"
        verbose_name_plural = "days closed"

    def __str__(self) -> str:
        return f"{self.kind} before {self.before:%Y-%m-%d}"
