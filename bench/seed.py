"""A long history made inside the database, ten million rows in a few minutes.

The rows are made by PostgreSQL itself; roll-ups and latest states are then computed from
them by the very expressions with which `verify_telemetry` recomputes them, so that nothing
tells such a history from one that came in reading by reading.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from telemetry.storage.rollups import aggregates
from telemetry.storage.subjects import METERS, VEHICLES, Subject

INTERVAL = timedelta(seconds=70)
"""Between two readings of a vehicle: 1,234 a day."""

_VALUES = {
    "vehicle": {
        "protocol": "'telemetry.v1'",
        "lat": "33.9 + mod(n, 1000) / 1e4",
        "lon": "-6.8 + mod(s.id, 100) / 1e3",
        "speed_kmh": "mod(n, 90) + 0.5",
        "heading_deg": "271.5",
        "soc_pct": "20 + mod(n, 700) / 10.0",
        "battery_temp_c": "31 + mod(n, 10) / 10.0",
        "battery_voltage_v": "391.2",
        "battery_current_a": "-18.25",
        "odometer_km": "48210.4 + n / 10.0",
        "energy_dc_kwh": "mod(n, 7) / 10.0",
        "ignition": "true",
    },
    "meter": {
        "protocol": "'http.v1'",
        "energy_ac_kwh": "mod(n, 9) / 10.0",
        "power_kw": "mod(n, 22)",
    },
}
"""What a reading of each kind says: SQL over its number `n`, which grows with time."""


@dataclass(frozen=True)
class Seed:
    """`rows` readings of these vehicles, the newest at `until`; the meters report beside them."""

    rows: int
    vehicles: list[int]
    meters: list[int]
    until: datetime
    interval: timedelta = INTERVAL

    @property
    def since(self) -> datetime:
        return self.until - self.rows // len(self.vehicles) * self.interval


def sow(connection: psycopg.Connection[Any], seed: Seed) -> float:
    """Fill history, roll-ups and latest states. Returns the seconds it took."""
    started = time.monotonic()
    for low, high in _days(seed):
        with connection.transaction():
            for subject, ids in ((VEHICLES, seed.vehicles), (METERS, seed.meters)):
                every = seed.interval
                first = seed.since + -(-(low - seed.since) // every) * every
                connection.execute(_history_sql(subject), [every, first, high, every, ids])
                connection.execute(_hours_sql(subject), [ids, low, high])
    for subject, ids in ((VEHICLES, seed.vehicles), (METERS, seed.meters)):
        connection.execute(_latest_sql(subject), [ids, seed.until - seed.interval])
    for subject in (VEHICLES, METERS):
        for table in (subject.history_table, subject.hour_table, subject.latest_table):
            # Autovacuum does this in a running installation, within a minute.
            connection.execute(f"VACUUM (ANALYZE) {table}")
    return time.monotonic() - started


def _days(seed: Seed) -> Iterator[tuple[datetime, datetime]]:
    """[from, to) of every day, cut at midnight UTC, so that no hour is in two of them."""
    low, end = seed.since + seed.interval, seed.until + timedelta(microseconds=1)
    while low < end:
        midnight = low.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        yield low, min(midnight, end)
        low = midnight


def _history_sql(subject: Subject) -> str:
    """Readings in [from, to), all vehicles by turns as in life."""
    values = _VALUES[subject.noun]
    where = {"vehicle": "fleet_vehicle", "meter": "fleet_meter"}[subject.noun]
    return f"""
        INSERT INTO {subject.history_table}
            (tenant_id, {subject.key}, time, received_at, reading_id, {", ".join(values)})
        SELECT s.tenant_id, s.id, t, t + interval '0.2 s', n, {", ".join(values.values())}
        FROM (SELECT t, (extract(epoch FROM t) / extract(epoch FROM %s::interval))::int AS n
              FROM generate_series(%s, %s - interval '1 us', %s) t) turns,
             {where} s
        WHERE s.id = ANY(%s)
        """


def _hours_sql(subject: Subject) -> str:
    names = [aggregate.column.name for aggregate in aggregates(subject)]
    recomputed = [aggregate.recompute for aggregate in aggregates(subject)]
    return f"""
        INSERT INTO {subject.hour_table} ({subject.key}, hour, tenant_id, {", ".join(names)})
        SELECT {subject.key}, date_trunc('hour', time, 'UTC'), tenant_id, {", ".join(recomputed)}
        FROM {subject.history_table} WHERE {subject.key} = ANY(%s) AND time >= %s AND time < %s
        GROUP BY 1, 2, 3 ORDER BY 2, 1
        """


def _latest_sql(subject: Subject) -> str:
    """Every reading carries the same fields: the newest is the latest state."""
    names = ", ".join(column.name for column in subject.history)
    return f"""
        INSERT INTO {subject.latest_table} ({names}, older)
        SELECT DISTINCT ON ({subject.key}) {names}, '{{}}'::jsonb FROM {subject.history_table}
        WHERE {subject.key} = ANY(%s) AND time > %s
        ORDER BY {subject.key}, time DESC, reading_id DESC
        """
