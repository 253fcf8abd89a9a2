"""In which steps the history of one subject is compared with its roll-ups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from telemetry.storage.subjects import Subject
from telemetry.verification.difference import SPAN, Cursor, Limits

Span = tuple[datetime, datetime]
"""[from, to), on the hour."""


def spans(cursor: Cursor, subject: Subject, subject_id: int, limits: Limits) -> Iterator[Span]:
    """Weeks from the first to the last with history or roll-ups, within the limits."""
    tables = (
        (subject.history_table, "time"),
        (subject.hour_table, "hour"),
        (subject.day_table, "day"),
    )
    bounds: list[datetime] = []
    for order in ("ASC", "DESC"):
        for table, time in tables:
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
