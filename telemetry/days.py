"""Closes days: their hours become one row each, and rows that late readings have marked are
made anew. Exact at any moment: a day without a sound row is read from its hours.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
import structlog

from telemetry.storage import days
from telemetry.storage.subjects import SUBJECTS, Subject

DAY = timedelta(days=1)
_AT_ONCE = 500

log = structlog.get_logger(__name__)


def close(connection: psycopg.Connection[Any], now: datetime) -> dict[str, int]:
    """Close every day that is old enough, a transaction each; returns how many, and how many
    rows were made anew. A second run finds nothing to do."""
    done = {"closed": 0, "remade": 0}
    for subject in SUBJECTS:
        while _close_next(connection, subject, now):
            done["closed"] += 1
        while remade := _remake(connection, subject):
            done["remade"] += remade
    if any(done.values()):
        log.info("days_closed", **done)
    return done


def _close_next(connection: psycopg.Connection[Any], subject: Subject, now: datetime) -> bool:
    with connection.transaction():
        days.lock(connection, subject)
        day = days.closed_before(connection, subject) or _first_day(connection, subject)
        if day is None or day + DAY + days.CLOSED_AFTER > now:
            return False
        connection.execute(
            days.insert_days(subject, "WHERE h.hour >= %s AND h.hour < %s"), [day, day + DAY]
        )
        connection.execute(
            "INSERT INTO telemetry_days_closed (kind, before) VALUES (%s, %s)"
            " ON CONFLICT (kind) DO UPDATE SET before = excluded.before",
            [subject.kind, day + DAY],
        )
    return True


def _first_day(connection: psycopg.Connection[Any], subject: Subject) -> datetime | None:
    row = connection.execute(
        f"SELECT date_trunc('day', hour, 'UTC') FROM {subject.hour_table} ORDER BY hour LIMIT 1"  # noqa: S608
    ).fetchone()
    return None if row is None else row[0]


def _remake(connection: psycopg.Connection[Any], subject: Subject) -> int:
    """Rows of days that had late readings, some at a time; a day without hours has none."""
    with connection.transaction():
        days.lock(connection, subject)
        stale = connection.execute(
            f"DELETE FROM {subject.day_table} WHERE ({subject.key}, day) IN ("  # noqa: S608
            f" SELECT {subject.key}, day FROM {subject.day_table} WHERE is_stale"
            f" ORDER BY day, {subject.key} LIMIT %s) RETURNING {subject.key}, day",
            [_AT_ONCE],
        ).fetchall()
        if stale:
            ids, which = (list(column) for column in zip(*stale, strict=True))
            connection.execute(
                days.insert_days(
                    subject,
                    "JOIN unnest(%s::bigint[], %s::timestamptz[]) AS stale (id, day)"
                    f" ON h.{subject.key} = stale.id"
                    " AND h.hour >= stale.day AND h.hour < stale.day + interval '24 hours'"
                    " WHERE h.hour >= %s AND h.hour < %s",
                ),
                [ids, which, min(which), max(which) + DAY],
            )
    return len(stale)
