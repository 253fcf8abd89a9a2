"""Health of every device: what support looks at when a vehicle is dark."""

from __future__ import annotations

from django.db import models


class DeviceHealth(models.Model):
    """What the writer has seen of a device, kept in the transactions that store its readings.

    Only a device that has ever been heard has a row.
    """

    device_id = models.BigIntegerField(primary_key=True)
    tenant_id = models.BigIntegerField()
    last_seen = models.DateTimeField(
        null=True, help_text="When the server last took in a reading of the device."
    )
    last_time = models.DateTimeField(
        null=True, help_text="The newest time the device's own clock has given."
    )
    lag_ms = models.BigIntegerField(
        null=True, help_text="From the device's time to its arrival, of the reading last received."
    )
    lag_max_ms = models.BigIntegerField(null=True, help_text="The greatest lag there ever was.")
    skew_ms = models.BigIntegerField(
        null=True,
        help_text=(
            "The smallest lag of the last batch received. Negative: the device's clock is ahead. "
            "Large and steady: it is behind, or the device is sending a backlog."
        ),
    )
    accepted = models.BigIntegerField(default=0, help_text="Readings stored.")
    duplicates = models.BigIntegerField(default=0, help_text="Readings that were stored before.")
    late = models.BigIntegerField(
        default=0, help_text="Readings stored that were older than the newest of their vehicle."
    )
    refused = models.BigIntegerField(default=0)
    refusals = models.JSONField(default=dict, help_text='{"code": how many}')
    last_refusal_at = models.DateTimeField(null=True)
    last_refusal_code = models.CharField(max_length=32, blank=True, default="")

    class Meta:
        db_table = "telemetry_device_health"
        verbose_name = "device health"
        verbose_name_plural = "device health"
        indexes = [models.Index(fields=["tenant_id", "last_seen"])]

    def __str__(self) -> str:
        return f"device {self.device_id}"
