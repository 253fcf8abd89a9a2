"""Up to where everything that was stored has also been told.

A **horizon** is the oldest transaction that was still running when one looked
(`pg_snapshot_xmin`). What ended before was visible then; what a row's own `xmin` shows to be
written from there on may not have been. So "the rows written since a horizon" leaves out
nothing, however long a transaction took and whatever the clocks said; it may only repeat.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from django.conf import settings
from django.core.cache import cache
from django.db import connection

from telemetry.streams import STORED

ROUTE = "live"
"""The route that publishes what was stored (`TELEMETRY_ROUTES`)."""
SKEW_S = 5.0
"""Between the clocks of this process and of Redis, and from a commit to the stored log."""
PUBLISHED_SECONDS = 5
MOST_SAMPLES = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """The horizon at a moment (wall clock, Unix seconds)."""

    at: float
    horizon: int
    newest: int
    """The next transaction's number at that moment: no horizon lies beyond it."""


def look() -> Sample:
    """Raises django.db.Error."""
    at = time.time()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmin(now)::text::bigint, pg_snapshot_xmax(now)::text::bigint "
            "FROM pg_current_snapshot() AS now"
        )
        horizon, newest = cursor.fetchone()
    return Sample(at, horizon, newest)


def published_until() -> float:
    """All that was stored before this (Unix seconds) has gone to the rooms. Shared by every
    reader for a few seconds. Raises RedisError."""
    known: float | None = cache.get("live:published")
    if known is None:
        known = time.time()
        for partition in range(settings.TELEMETRY_PARTITIONS):
            oldest = STORED.lag(partition, ROUTE).oldest_ms
            if oldest is not None:
                known = min(known, oldest / 1000)
        cache.set("live:published", known, PUBLISHED_SECONDS)
    return known


@dataclass(slots=True)
class _Ahead:
    """A horizon that is not certain yet: at which check it was published, and since when
    (Unix seconds) no message from before it can be missing unseen."""

    sample: Sample
    published_at: int | None = None
    heard_by: float | None = None


@dataclass(slots=True)
class Told:
    """The horizons one reader has passed, and which of them it is certain about.

    A reader compares the rooms' counters at each check with those of the check before. So what
    was published before one check is counted at the next, and at the one after that it is
    known whether it was heard.
    """

    reached: Sample
    """Everything from before it has been told."""
    ahead: deque[_Ahead] = field(default_factory=deque)
    checks: int = 0

    def checked(self, sample: Sample, published: float) -> None:
        """The rooms' counters were compared; the horizon now, and how far the live route is."""
        self.checks += 1
        for each in self.ahead:
            if each.published_at is None:
                if each.sample.at + SKEW_S <= published:
                    each.published_at = self.checks
            elif each.heard_by is None and self.checks >= each.published_at + 2:
                each.heard_by = sample.at
        # Those that came first are the first to be certain: they stay.
        if len(self.ahead) < MOST_SAMPLES:
            self.ahead.append(_Ahead(sample))

    def told_until(self, moment: float) -> None:
        """All that was heard before that (Unix seconds) has been sent, and nothing is missing."""
        while self.ahead:
            heard_by = self.ahead[0].heard_by
            if heard_by is None or moment < heard_by:
                return
            self.reached = self.ahead.popleft().sample
