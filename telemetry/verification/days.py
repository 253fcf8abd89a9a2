"""Daily roll-ups: each equals the aggregate of its hours, and no closed day lacks one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from telemetry.storage.days import COLUMNS, select_days
from telemetry.storage.subjects import Subject
from telemetry.verification.difference import Cursor, Difference
from telemetry.verification.spans import Span


def check(
    cursor: Cursor, subject: Subject, subject_id: int, span: Span, compared: dict[str, int]
) -> Iterator[Difference]:
    """The days that begin in the span, are closed and not marked stale."""
    low, high = (_midnight(moment) for moment in span)
    closed = cursor.execute(
        "SELECT before FROM telemetry_days_closed WHERE kind = %s", [subject.kind]
    ).fetchone()
    bounds = [subject_id, low, high]
    of_hours = f"WHERE h.{subject.key} = %s AND h.hour >= %s AND h.hour < %s"
    expected = {
        row["day"]: row
        for row in cursor.execute(select_days(subject, of_hours), bounds)
        if closed is not None and row["day"] < closed["before"]
    }
    names = COLUMNS[subject.kind].names
    stored = cursor.execute(
        f"SELECT day, is_stale, {', '.join(names)} FROM {subject.day_table}"  # noqa: S608
        f" WHERE {subject.key} = %s AND day >= %s AND day < %s",
        bounds,
    ).fetchall()
    for found in stored:
        where = f"{subject.noun} {subject_id}, {found['day']:%Y-%m-%d}"
        row = expected.pop(found["day"], None)
        if found["is_stale"]:
            continue
        compared["days"] += 1
        if row is None:
            yield Difference("daily roll-up", where, "no hours", f"{found['readings']} readings")
            continue
        for name in names:
            if found[name] != row[name]:
                yield Difference(
                    "daily roll-up", f"{where}, {name}", str(row[name]), str(found[name])
                )
    for day, row in expected.items():
        where = f"{subject.noun} {subject_id}, {day:%Y-%m-%d}"
        yield Difference("daily roll-up", where, f"{row['readings']} readings", "no row")


def _midnight(moment: datetime) -> datetime:
    """The first midnight, UTC, that is not before this."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if day == moment else day + timedelta(days=1)
