"""Hourly roll-ups: what a batch adds to them, and the same recomputed from history.

Every aggregate is a sum of integers, a count, a minimum, a maximum, or the value at the
smallest or greatest (time, reading_id): all exact and independent of order. A sum is of
values in millionths, half to even; Python's `round` and PostgreSQL's `round(float8)` agree
on it, so that the two ways to the same roll-up agree to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from telemetry.fields import Kind
from telemetry.storage.binary import Column, Type, millionths
from telemetry.storage.subjects import Metric, Subject

HOUR = 3_600_000_000
"""Microseconds."""
LATE = 300_000_000
"""A reading that came longer than this after its time is counted as late. Microseconds."""


@dataclass(frozen=True)
class Aggregate:
    """One column of a roll-up. `combine` is its SQL for the old value `t` and the added `excluded`;
    `recompute` is its SQL over the rows of history."""

    column: Column
    combine: str
    recompute: str


def aggregates(subject: Subject) -> tuple[Aggregate, ...]:
    """Every column of the subject's hour table beside its key, its hour and its tenant."""
    late = f"count(*) FILTER (WHERE received_at - time > interval '{LATE // 1_000_000} s')"
    found = [
        Aggregate(Column("readings", Type.INT4), "t.{c} + excluded.{c}", "count(*)::int"),
        Aggregate(Column("late", Type.INT4), "t.{c} + excluded.{c}", f"({late})::int"),
        Aggregate(Column("first_time", Type.TIMESTAMP), "least(t.{c}, excluded.{c})", "min(time)"),
        Aggregate(
            Column("last_time", Type.TIMESTAMP), "greatest(t.{c}, excluded.{c})", "max(time)"
        ),
    ]
    for metric in subject.metrics:
        found += _of(metric, subject.fields[metric.field].kind is Kind.ENERGY)
    return tuple(found)


def _of(metric: Metric, is_energy: bool) -> list[Aggregate]:
    f = metric.field
    found = []
    if metric.sum:
        exact = f if is_energy else f"(round({f} * 1000000.0::float8)::bigint * 0.000001)"
        found.append(
            Aggregate(
                Column(f"{f}_sum", Type.MILLIONTHS),
                "coalesce(t.{c} + excluded.{c}, t.{c}, excluded.{c})",
                f"sum({exact})::numeric(24, 6)",
            )
        )
    if metric.count:
        found.append(
            Aggregate(Column(f"{f}_count", Type.INT4), "t.{c} + excluded.{c}", f"count({f})::int")
        )
    if metric.min:
        found.append(
            Aggregate(Column(f"{f}_min", Type.FLOAT8), "least(t.{c}, excluded.{c})", f"min({f})")
        )
    if metric.max:
        found.append(
            Aggregate(Column(f"{f}_max", Type.FLOAT8), "greatest(t.{c}, excluded.{c})", f"max({f})")
        )
    if metric.ends:
        found += _end(f, "first", "<", "ASC") + _end(f, "last", ">", "DESC")
    return found


def _end(f: str, end: str, beats: str, order: str) -> list[Aggregate]:
    name = f"{f}_{end}"
    wins = (
        f"t.{name}_time IS NULL OR "
        f"(excluded.{name}_time, excluded.{name}_id) {beats} (t.{name}_time, t.{name}_id)"
    )
    combine = f"CASE WHEN {wins} THEN excluded.{{c}} ELSE t.{{c}} END"
    recompute = (
        f"(array_agg({{v}} ORDER BY time {order}, reading_id {order})"
        f" FILTER (WHERE {f} IS NOT NULL))[1]"
    )
    return [
        Aggregate(Column(name, Type.FLOAT8), combine, recompute.format(v=f)),
        Aggregate(Column(f"{name}_time", Type.TIMESTAMP), combine, recompute.format(v="time")),
        Aggregate(Column(f"{name}_id", Type.INT4), combine, recompute.format(v="reading_id")),
    ]


class HourlyDelta:
    """Sums up the new rows of a batch, hour by hour. Pure."""

    def __init__(self, subject: Subject) -> None:
        self.columns = (
            Column(subject.key, Type.INT8),
            Column("hour", Type.TIMESTAMP),
            Column("tenant_id", Type.INT8),
            *(aggregate.column for aggregate in aggregates(subject)),
        )
        self._key_at = subject.position(subject.key)
        self._time_at = subject.position("time")
        self._received_at = subject.position("received_at")
        self._tenant_at = subject.position("tenant_id")
        self._id_at = subject.position("reading_id")
        at = {column.name: where for where, column in enumerate(self.columns)}
        self._metrics = tuple(
            (
                subject.position(metric.field),
                at.get(f"{metric.field}_sum"),
                at.get(f"{metric.field}_count"),
                at.get(f"{metric.field}_min"),
                at.get(f"{metric.field}_max"),
                at.get(f"{metric.field}_first"),
                at.get(f"{metric.field}_last"),
            )
            for metric in subject.metrics
        )
        counts = {where for column, where in at.items() if column.endswith("_count")}
        self._empty = [0 if where in counts else None for where in range(len(self.columns))]

    def of(self, rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
        """One row per subject and hour, in the order of the key, aligned with `columns`."""
        key_at, time_at, received_at = self._key_at, self._time_at, self._received_at
        hours: dict[tuple[int, int], list[Any]] = {}
        for row in rows:
            time = row[time_at]
            hour = time - time % HOUR
            into = hours.get((row[key_at], hour))
            late = row[received_at] - time > LATE
            if into is None:
                into = hours[row[key_at], hour] = self._empty.copy()
                into[:7] = (row[key_at], hour, row[self._tenant_at], 1, int(late), time, time)
            else:
                into[3] += 1
                into[4] += late
                if time < into[5]:
                    into[5] = time
                elif time > into[6]:
                    into[6] = time
            self._add(into, row, time)
        return [hours[key] for key in sorted(hours)]

    def _add(self, into: list[Any], row: tuple[Any, ...], time: int) -> None:
        for value_at, sum_at, count_at, min_at, max_at, first_at, last_at in self._metrics:
            value = row[value_at]
            if value is None:
                continue
            if sum_at is not None:
                exact = (
                    millionths(value) if isinstance(value, Decimal) else round(value * 1_000_000.0)
                )
                held = into[sum_at]
                into[sum_at] = exact if held is None else held + exact
            if count_at is not None:
                into[count_at] += 1
            if min_at is not None and (into[min_at] is None or value < into[min_at]):
                into[min_at] = value
            if max_at is not None and (into[max_at] is None or value > into[max_at]):
                into[max_at] = value
            if first_at is not None and last_at is not None:
                version = (time, row[self._id_at])
                first, last = into[first_at : first_at + 3], into[last_at : last_at + 3]
                if first[1] is None or version < (first[1], first[2]):
                    into[first_at : first_at + 3] = (value, *version)
                if last[1] is None or version > (last[1], last[2]):
                    into[last_at : last_at + 3] = (value, *version)
