"""What a zone's clock is ahead of UTC. Browsers are told, not asked: zones change their minds,
and a browser may hear of it later than the server, or sooner."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

TOLD_BEFORE: Final = timedelta(days=800)
TOLD_AFTER: Final = timedelta(days=400)


def offsets(zone: ZoneInfo, start: datetime, end: datetime) -> list[tuple[datetime, int]]:
    """Since when the clock is how many seconds ahead of UTC; the first of them from `start`."""
    found = [(start, _ahead(start, zone))]
    day, hour = timedelta(days=1), timedelta(hours=1)
    at = start.replace(minute=0, second=0, microsecond=0)
    while at < end:
        step = hour if _ahead(at + day, zone) != found[-1][1] else day
        at += step
        if at < end and (ahead := _ahead(at, zone)) != found[-1][1]:
            found.append((at, ahead))
    return found


def offsets_about(zone: ZoneInfo, today: date) -> list[tuple[int, int]]:
    """Those that a page about the last two years may need: [(Unix milliseconds, seconds)]."""
    return list(_offsets_about(zone.key, today))


@lru_cache(maxsize=256)
def _offsets_about(zone: str, today: date) -> tuple[tuple[int, int], ...]:
    midnight = datetime.combine(today, time(), UTC)
    told = offsets(ZoneInfo(zone), midnight - TOLD_BEFORE, midnight + TOLD_AFTER)
    return tuple((round(since.timestamp()) * 1000, seconds) for since, seconds in told)


def _ahead(at: datetime, zone: ZoneInfo) -> int:
    return round((at.astimezone(zone).utcoffset() or timedelta()).total_seconds())
