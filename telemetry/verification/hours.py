"""Hourly roll-ups: each equals the aggregate of its hour of history, digit for digit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from telemetry.storage.rollups import aggregates
from telemetry.storage.subjects import Subject
from telemetry.verification.difference import SPAN, Cursor, Difference, Limits


def check(
    cursor: Cursor, subject: Subject, subject_id: int, limits: Limits, compared: dict[str, int]
) -> Iterator[Difference]:
    """Recompute a subject's roll-ups, a week at a time."""
    columns = [aggregate.column.name for aggregate in aggregates(subject)]
    recomputed = ", ".join(f"{a.recompute} AS {a.column.name}" for a in aggregates(subject))
    for low, high in _spans(cursor, subject, subject_id, limits):
        bounds = [subject_id, low, high]
        expected = cursor.execute(
            f"SELECT date_trunc('hour', time, 'UTC') AS hour, {recomputed}"  # noqa: S608
            f" FROM {subject.history_table}"
            f" WHERE {subject.key} = %s AND time >= %s AND time < %s GROUP BY 1",
            bounds,
        ).fetchall()
        found = cursor.execute(
            f"SELECT hour, {', '.join(columns)} FROM {subject.hour_table}"  # noqa: S608
            f" WHERE {subject.key} = %s AND hour >= %s AND hour < %s",
            bounds,
        ).fetchall()
        by_hour = {row["hour"]: row for row in found}
        for row in expected:
            stored = by_hour.pop(row["hour"], None)
            where = f"{subject.noun} {subject_id}, {row['hour']:%Y-%m-%d %H}h"
            compared["hours"] += 1
            if stored is None:
                yield Difference("roll-up", where, f"{row['readings']} readings", "no row")
                continue
            for name in columns:
                if stored[name] != row[name]:
                    yield Difference(
                        "roll-up", f"{where}, {name}", str(row[name]), str(stored[name])
                    )
        for hour, row in by_hour.items():
            where = f"{subject.noun} {subject_id}, {hour:%Y-%m-%d %H}h"
            yield Difference("roll-up", where, "no history", f"{row['readings']} readings")


def _spans(
    cursor: Cursor, subject: Subject, subject_id: int, limits: Limits
) -> Iterator[tuple[datetime, datetime]]:
    """Weeks from the first to the last with history or roll-ups, within the limits."""
    bounds: list[datetime] = []
    for order in ("ASC", "DESC"):
        for table, time in ((subject.history_table, "time"), (subject.hour_table, "hour")):
            row = cursor.execute(
                f"SELECT {time} AS t FROM {table} WHERE {subject.key} = %s"  # noqa: S608
                f" ORDER BY {time} {order} LIMIT 1",
                [subject_id],
            ).fetchone()
            bounds += [row["t"]] if row else []
    if not bounds:
        return
    low, end = min(bounds), max(bounds)
    low = max(low, limits.from_when) if limits.from_when else low
    low = low.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while low <= end:
        yield low, low + SPAN
        low += SPAN
