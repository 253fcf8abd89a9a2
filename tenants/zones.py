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


def clock_of(zone: ZoneInfo, start: datetime, end: datetime) -> list[tuple[int, int]]:
    """Offsets as scripts take them: since when in Unix milliseconds, seconds ahead."""
    told = offsets(zone, start, end)
    return [(int(since.timestamp() * 1000), seconds) for since, seconds in told]


@lru_cache(maxsize=256)
def offsets_about(zone: ZoneInfo, today: date) -> list[tuple[int, int]]:
    """The clock that a page about the last two years may need. Not to be changed: it is kept."""
    midnight = datetime.combine(today, time(), UTC)
    return clock_of(zone, midnight - TOLD_BEFORE, midnight + TOLD_AFTER)


def _ahead(at: datetime, zone: ZoneInfo) -> int:
    return round((at.astimezone(zone).utcoffset() or timedelta()).total_seconds())
