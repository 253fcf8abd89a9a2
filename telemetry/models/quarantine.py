"""Quarantine: what was refused, as it came, and why."""

from __future__ import annotations

from typing import Final

from django.db import models

SENT: Final = "on its way"
ACCEPTED: Final = "accepted"
"""Outcomes of a replay; anything else says why the frame is still refused."""


class QuarantinedFrame(models.Model):
    """One refused reading or frame. `tenant_id` is empty where no tenant could be told."""

    log_id = models.CharField(
        max_length=80, unique=True, help_text="Entry of the quarantine log: redelivery adds no row."
    )
    tenant_id = models.BigIntegerField(null=True)
    device_id = models.BigIntegerField(null=True)
    adapter = models.CharField(max_length=40)
    adapter_version = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=32)
    field = models.CharField(max_length=80, blank=True)
    detail = models.TextField(blank=True)
    seq = models.BigIntegerField(null=True)
    raw = models.BinaryField(help_text="The bytes as they came, cut at 64 KiB.")
    raw_size = models.PositiveIntegerField()
    received_at = models.DateTimeField()
    replayed_at = models.DateTimeField(null=True, blank=True)
    replay_outcome = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "telemetry_quarantined_frame"
        indexes = [
            models.Index(fields=["-received_at"]),
            models.Index(fields=["tenant_id", "-received_at"]),
            models.Index(fields=["device_id", "-received_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.code} at {self.received_at:%Y-%m-%d %H:%M:%S}"
