"""The span of time a page is about: named or picked, in the organisation's zone, in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

LONGEST: Final = timedelta(days=31)
NAMED: Final[dict[str, str | Promise]] = {
    "1h": _("1 h"), "today": _("Today"), "7d": _("7 d"),
}  # fmt: skip


@dataclass(frozen=True)
class Period:
    """[start, end) in UTC. `name`: one of `NAMED`, "day", or "" for a picked one."""

    start: datetime
    end: datetime
    name: str
    is_live: bool = False
    """It ends now, and goes on."""
    is_cut: bool = False
    """More was asked for than `LONGEST`."""

    @property
    def query(self) -> str:
        return urlencode({"from": _iso(self.start), "to": _iso(self.end)})


def period_of(query: Mapping[str, str], *, now: datetime, zone: ZoneInfo) -> Period | None:
    """Of `range`, `day`, or `from` and `to`; None where the address names none that is one."""
    name = query.get("range", "")
    if name in NAMED:
        return named(name, now=now, zone=zone)
    picked = _day(query.get("day", ""))
    if picked is not None:
        return day_of(picked, now=now, zone=zone)
    start, end = moment_of(query.get("from", ""), zone), moment_of(query.get("to", ""), zone)
    if start is None:
        return None
    end = min(end or now, now + timedelta(minutes=5))
    if start >= end:
        return None
    cut = max(start, end - LONGEST)
    return Period(cut, end, "", is_cut=cut > start)


def day_of(picked: date, *, now: datetime, zone: ZoneInfo) -> Period:
    """A calendar day of the zone; today ends now."""
    start = datetime.combine(picked, time(), zone).astimezone(UTC)
    end = datetime.combine(picked + timedelta(days=1), time(), zone).astimezone(UTC)
    if start <= now < end:
        return Period(start, now, "today", is_live=True)
    return Period(start, end, "day")


def named(name: str, *, now: datetime, zone: ZoneInfo) -> Period:
    """A period that ends now, by its name in `NAMED`."""
    if name == "today":
        return day_of(now.astimezone(zone).date(), now=now, zone=zone)
    length = timedelta(hours=1) if name == "1h" else timedelta(days=7)
    return Period(now - length, now, name, is_live=True)


def _day(text: str) -> date | None:
    try:
        found = parse_date(text) if len(text) <= 10 else None
    except ValueError:
        return None
    return found if found is not None and 1971 <= found.year < 2200 else None


def moment_of(text: str, zone: ZoneInfo) -> datetime | None:
    """With its own zone, or as the clock on the wall of the organisation shows it; else None."""
    try:
        found = parse_datetime(text.replace(" ", "+")) if len(text) <= 40 else None
    except ValueError:
        return None
    if found is None or not 1971 <= found.year < 2200:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
