"""The value columns that history and latest state have in common (see `telemetry.fields`)."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class VehicleValues(models.Model):
    """What a vehicle may report. NULL: never sent (missing is not invalid)."""

    lat = models.FloatField(null=True)
    lon = models.FloatField(null=True)
    altitude_m = models.FloatField(null=True)
    heading_deg = models.FloatField(null=True)
    speed_kmh = models.FloatField(null=True)
    accuracy_m = models.FloatField(null=True)
    satellites = models.SmallIntegerField(null=True)
    odometer_km = models.FloatField(null=True)
    ignition = models.BooleanField(null=True)
    soc_pct = models.FloatField(null=True)
    range_km = models.FloatField(null=True)
    battery_temp_c = models.FloatField(null=True)
    battery_voltage_v = models.FloatField(null=True)
    battery_current_a = models.FloatField(null=True)
    energy_dc_kwh = models.DecimalField(max_digits=16, decimal_places=6, null=True)
    charging = models.BooleanField(null=True)
    fuel_pct = models.FloatField(null=True)
    engine_rpm = models.FloatField(null=True)
    coolant_temp_c = models.FloatField(null=True)
    ambient_temp_c = models.FloatField(null=True)
    supply_voltage_v = models.FloatField(null=True)
    driver = models.TextField(null=True)
    alarms = ArrayField(models.TextField(), null=True)
    attributes = models.JSONField(null=True)
    invalid = ArrayField(models.TextField(), null=True)

    class Meta:
        abstract = True


class MeterValues(models.Model):
    """What a charging meter may report."""

    energy_ac_kwh = models.DecimalField(max_digits=16, decimal_places=6, null=True)
    voltage_v = models.FloatField(null=True)
    current_a = models.FloatField(null=True)
    power_kw = models.FloatField(null=True)
    attributes = models.JSONField(null=True)
    invalid = ArrayField(models.TextField(), null=True)

    class Meta:
        abstract = True


class Received(models.Model):
    """Where a reading came from and when."""

    time = models.DateTimeField(help_text="The device's clock.")
    reading_id = models.IntegerField()
    tenant_id = models.BigIntegerField()
    device_id = models.BigIntegerField(null=True)
    received_at = models.DateTimeField(help_text="The server's clock.")
    protocol = models.CharField(max_length=40)

    class Meta:
        abstract = True
