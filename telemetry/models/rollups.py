"""Hourly roll-ups: what analytics read instead of history.

Every column is an aggregate that does not depend on the order of arrival, and exact: sums
are of values taken to six decimals (millionths, summed as integers), never of binary
fractions. `x_first` and `x_last` are those of the smallest and greatest (time, reading_id).
`telemetry.storage.rollups` lists the aggregates; a recomputation from history gives the
same digits. They follow their history: retention removes both.
"""

from __future__ import annotations

from typing import Any

from django.db import models


class Hour(models.Model):
    """What is counted for vehicles and meters alike."""

    hour = models.DateTimeField(help_text="Start of the hour, UTC; half open.")
    tenant_id = models.BigIntegerField()
    readings = models.IntegerField()
    late = models.IntegerField(help_text="Of these, how many came over five minutes late.")
    first_time = models.DateTimeField()
    last_time = models.DateTimeField()

    class Meta:
        abstract = True


def _sum() -> models.DecimalField[Any, Any]:
    return models.DecimalField(max_digits=24, decimal_places=6, null=True)


class VehicleHour(Hour):
    """One hour of a vehicle."""

    pk = models.CompositePrimaryKey("vehicle_id", "hour")
    vehicle_id = models.BigIntegerField()
    speed_kmh_sum = _sum()
    speed_kmh_count = models.IntegerField()
    speed_kmh_max = models.FloatField(null=True)
    odometer_km_min = models.FloatField(null=True)
    odometer_km_max = models.FloatField(null=True)
    soc_pct_count = models.IntegerField()
    soc_pct_min = models.FloatField(null=True)
    soc_pct_max = models.FloatField(null=True)
    soc_pct_first = models.FloatField(null=True)
    soc_pct_first_time = models.DateTimeField(null=True)
    soc_pct_first_id = models.IntegerField(null=True)
    soc_pct_last = models.FloatField(null=True)
    soc_pct_last_time = models.DateTimeField(null=True)
    soc_pct_last_id = models.IntegerField(null=True)
    battery_temp_c_sum = _sum()
    battery_temp_c_count = models.IntegerField()
    battery_temp_c_min = models.FloatField(null=True)
    battery_temp_c_max = models.FloatField(null=True)
    energy_dc_kwh_sum = _sum()
    energy_dc_kwh_count = models.IntegerField()

    class Meta:
        db_table = "telemetry_vehicle_hour"
        verbose_name = "vehicle hour"

    def __str__(self) -> str:
        return f"vehicle {self.vehicle_id}, {self.hour:%Y-%m-%d %H}h"


class MeterHour(Hour):
    """One hour of a meter."""

    pk = models.CompositePrimaryKey("meter_id", "hour")
    meter_id = models.BigIntegerField()
    energy_ac_kwh_sum = _sum()
    energy_ac_kwh_count = models.IntegerField()
    power_kw_sum = _sum()
    power_kw_count = models.IntegerField()
    power_kw_max = models.FloatField(null=True)

    class Meta:
        db_table = "telemetry_meter_hour"
        verbose_name = "meter hour"

    def __str__(self) -> str:
        return f"meter {self.meter_id}, {self.hour:%Y-%m-%d %H}h"
