"""Weekly schedules in an organisation's time zone, and quiet hours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from alerts.engine.spec import Period
from telemetry.clock import from_us


def covers(periods: Sequence[Period], local: datetime) -> bool:
    """Whether a local wall-clock moment lies in one of the periods."""
    minute = local.hour * 60 + local.minute
    weekday = local.weekday()
    return any(weekday in p.days and p.start <= minute < p.end for p in periods)


def gate(periods: Sequence[Period], time_zone: str) -> Callable[[int], bool] | None:
    """A test for moments in microseconds since 1970; None where every moment will do."""
    if not periods:
        return None
    zone = ZoneInfo(time_zone)

    def allows(moment: int) -> bool:
        return covers(periods, from_us(moment).astimezone(zone))

    return allows
