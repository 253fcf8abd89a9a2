"""What verification says, and what its parts share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from telemetry.clock import from_us, to_us

SPAN = timedelta(days=7)
"""So much of one subject's history is read at a time."""
AT_ONCE = 500
"""So many subjects or devices are listed at a time."""

Cursor = psycopg.Cursor[dict[str, Any]]


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be."""

    what: str
    where: str
    expected: str
    found: str


@dataclass(frozen=True)
class Limits:
    """How far back to look. `since`: as asked for. `kept_since`: before that, retention may
    have removed history, and what is missing there says nothing."""

    since: datetime | None = None
    kept_since: datetime | None = None

    @property
    def from_when(self) -> datetime | None:
        """Where the walk through history ends; None: at its beginning."""
        return max((limit for limit in (self.since, self.kept_since) if limit), default=None)

    def must_be_there(self, time: datetime) -> bool:
        """Whether history of this time can only be missing by a fault."""
        return self.kept_since is None or time >= self.kept_since


def version(row: dict[str, Any]) -> tuple[int, int]:
    """(time in microseconds, reading_id): which of two values is the newer."""
    return to_us(row["time"]), row["reading_id"]


def time_of(version: tuple[int, int]) -> datetime:
    return from_us(version[0])
