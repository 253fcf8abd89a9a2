"""The SQL of daily roll-ups, and how a late reading marks the one of its day.

Closing a day and storing into it must not overtake each other: who closes holds the lock
exclusively, who stores into a day that may be closed shares it, each until its commit.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from telemetry.storage.subjects import Subject

LOCK: Final = zlib.crc32(b"outrider days") - 2**31
"""First key of the advisory locks; the second is the kind of subject."""
CLOSED_AFTER: Final = timedelta(hours=24)
"""How long after its end a day is closed."""
_OPEN_FOR_SURE: Final = timedelta(hours=12)
"""A day that ended less long ago than this cannot be closed, by anybody's clock."""
_DAY_US: Final = 86_400_000_000

KM: Final = (
    "CASE WHEN h.odometer_km_max IS NOT NULL THEN h.odometer_km_max - h.odometer_km_min"
    " ELSE coalesce((h.speed_kmh_sum / nullif(h.speed_kmh_count, 0))::float8"
    " * extract(epoch FROM h.last_time - h.first_time)::float8 / 3600, 0) END"
)
"""Distance of an hour `h`: by the odometer, else by mean speed and the time it was heard."""


@dataclass(frozen=True)
class DailyColumns:
    """Names and their SQL over the hours of a day; `by_hour` is summed up for each hour."""

    whole: dict[str, str]
    by_hour: dict[str, tuple[str, str]]
    """name → (expression, type)"""

    @property
    def names(self) -> list[str]:
        return ["tenant_id", "readings", *self.whole, *self.by_hour]

    @property
    def recomputed(self) -> list[str]:
        """The columns' SQL over hours `h`, in the order of `names`."""
        sql = [
            "max(h.tenant_id)",
            "sum(h.readings)::int",
            *self.whole.values(),
            *(_by_hour(expression, kind) for expression, kind in self.by_hour.values()),
        ]
        return [f"{column} AS {name}" for name, column in zip(self.names, sql, strict=True)]


def _by_hour(expression: str, kind: str) -> str:
    hour = "extract(hour FROM h.hour AT TIME ZONE 'UTC')"
    sums = (
        f"coalesce(sum({expression}) FILTER (WHERE {hour} = {number}), 0)" for number in range(24)
    )
    return f"ARRAY[{', '.join(sums)}]::{kind}[]"


def _millionths(column: str) -> tuple[str, str]:
    return f"{column} * 1000000", "bigint"


COLUMNS: Final = {
    "v": DailyColumns(
        {
            "odometer_km_min": "min(h.odometer_km_min)",
            "odometer_km_max": "max(h.odometer_km_max)",
            # Of millionths, so that the sum is the same in whatever order.
            "km": f"(sum(round(({KM}) * 1000000)::bigint) * 0.000001)::float8",
            "energy_dc_kwh_sum": "sum(h.energy_dc_kwh_sum)",
        },
        {
            "km_by_hour": (KM, "float8"),
            "energy_dc_kwh_by_hour": _millionths("h.energy_dc_kwh_sum"),
        },
    ),
    "m": DailyColumns(
        {"energy_ac_kwh_sum": "sum(h.energy_ac_kwh_sum)"},
        {"energy_ac_kwh_by_hour": _millionths("h.energy_ac_kwh_sum")},
    ),
}


def select_days(subject: Subject, condition: str) -> str:
    """Days recomputed from their hours `h`, as the table's rows."""
    recomputed = ", ".join(COLUMNS[subject.kind].recomputed)
    return (
        f"SELECT h.{subject.key}, date_trunc('day', h.hour, 'UTC') AS day, {recomputed}"  # noqa: S608
        f" FROM {subject.hour_table} h {condition} GROUP BY 1, 2"
    )


def insert_days(subject: Subject, condition: str) -> str:
    names = ", ".join([subject.key, "day", *COLUMNS[subject.kind].names, "is_stale"])
    made = select_days(subject, condition)
    return f"INSERT INTO {subject.day_table} ({names}) SELECT *, false FROM ({made}) made"  # noqa: S608


_LOCKED: Final = {"v": 1, "m": 2}


def lock(connection: psycopg.Connection[Any] | psycopg.Cursor[Any], subject: Subject) -> None:
    """Until the end of the transaction nobody stores into closed days; waits for who does."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, _LOCKED[subject.kind]])


def lock_shared(
    connection: psycopg.Connection[Any] | psycopg.Cursor[Any], subject: Subject
) -> None:
    """Until the end of the transaction no day is closed; waits for one that is being closed."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [LOCK, _LOCKED[subject.kind]])


def closed_before(
    connection: psycopg.Connection[Any] | psycopg.Cursor[Any], subject: Subject
) -> datetime | None:
    row = connection.execute(
        "SELECT before FROM telemetry_days_closed WHERE kind = %s", [subject.kind]
    ).fetchone()
    return None if row is None else row[0]


def mark_stale(
    cursor: psycopg.Cursor[Any], subject: Subject, rows: Iterable[tuple[Any, ...]]
) -> None:
    """Closed days that these new rows of history belong to are no longer right."""
    open_from = (time.time_ns() // 1000 - _OPEN_FOR_SURE // timedelta(microseconds=1)) - _DAY_US
    time_at, key_at = subject.position("time"), subject.position(subject.key)
    tenant_at = subject.position("tenant_id")
    days = {
        (row[key_at], row[time_at] // _DAY_US): row[tenant_at]
        for row in rows
        if row[time_at] < open_from
    }
    if not days:
        return
    lock_shared(cursor, subject)
    before = closed_before(cursor, subject)
    if before is None:
        return
    ids, numbers = (list(column) for column in zip(*days, strict=True))
    cursor.execute(
        f"""
        INSERT INTO {subject.day_table} ({subject.key}, day, tenant_id, readings, is_stale)
        SELECT id, to_timestamp(number * 86400.0), tenant_id, 0, true
        FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS late (id, number, tenant_id)
        WHERE to_timestamp(number * 86400.0) < %s ORDER BY 1, 2
        ON CONFLICT ({subject.key}, day) DO UPDATE SET is_stale = true
        """,  # noqa: S608
        [ids, numbers, list(days.values()), before],
    )
