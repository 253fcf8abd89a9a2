"""What Celery runs for telemetry."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from telemetry import days
from telemetry.retention import expire
from telemetry.storage.connection import connect


@shared_task(name="telemetry.retention")
def retention() -> None:
    """Nightly: remove what is older than its period. A second run finds nothing left to do."""
    with connect("outrider retention") as connection:
        # One statement may drop or convert a chunk for minutes; silence is no stall here.
        expire(connection, timezone.now())


@shared_task(name="telemetry.close_days")
def close_days() -> None:
    """Every few minutes: daily roll-ups of the days that are over, and of those with late
    readings."""
    with connect("outrider days") as connection:
        days.close(connection, timezone.now())
