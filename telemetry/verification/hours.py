"""Hourly roll-ups: each equals the aggregate of its hour of history, digit for digit."""

from __future__ import annotations

from collections.abc import Iterator

from telemetry.storage.rollups import aggregates
from telemetry.storage.subjects import Subject
from telemetry.verification.difference import Cursor, Difference
from telemetry.verification.spans import Span


def check(
    cursor: Cursor, subject: Subject, subject_id: int, span: Span, compared: dict[str, int]
) -> Iterator[Difference]:
    """Recompute a subject's roll-ups of one span."""
    columns = [aggregate.column.name for aggregate in aggregates(subject)]
    recomputed = ", ".join(f"{a.recompute} AS {a.column.name}" for a in aggregates(subject))
    bounds = [subject_id, *span]
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
                yield Difference("roll-up", f"{where}, {name}", str(row[name]), str(stored[name]))
    for hour, row in by_hour.items():
        where = f"{subject.noun} {subject_id}, {hour:%Y-%m-%d %H}h"
        yield Difference("roll-up", where, "no history", f"{row['readings']} readings")
