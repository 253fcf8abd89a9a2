"""Which times are taken in, as the settings and an organisation's own period say."""

from __future__ import annotations

from django.conf import settings

from telemetry.retention import days_kept
from telemetry.validate import Limits


def limits_of(retention_days: int | None) -> Limits:
    """Of an organisation that keeps its history for so long (None: as long as the platform)."""
    return Limits(settings.TELEMETRY_FUTURE_TOLERANCE_S * 1_000_000, days_kept(retention_days))
