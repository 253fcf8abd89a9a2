"""Sums over long periods: a year of hundreds of vehicles in a few tenths of a second.

Closed days come from the daily roll-ups, what is left (the ends of the period, days not yet
closed, days that a late reading has marked) from the hourly ones. Each answer is one
statement, hence of one moment, and equals the sums of the hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from telemetry.storage.days import KM
from telemetry.storage.subjects import METERS, VEHICLES, Subject

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class VehicleSums:
    """None: nothing of it was reported."""

    energy_dc_kwh: Decimal | None
    odometer_km_min: float | None
    odometer_km_max: float | None
    km: float
    """Hour by hour, by the odometer or else by speed and time."""


def by_vehicle(ids: Sequence[int], *, start: datetime, end: datetime) -> dict[int, VehicleSums]:
    """Sums of each vehicle over the hours that begin in [start, end)."""
    parts = _Parts.of(VEHICLES, ids, start, end)
    rows = parts.rows(
        "SELECT id, sum(dc), min(low), max(high), coalesce(sum(km), 0)"
        " FROM ({} UNION ALL {}) p GROUP BY id",
        days="d.vehicle_id AS id, d.energy_dc_kwh_sum AS dc, d.odometer_km_min AS low,"
        " d.odometer_km_max AS high, d.km AS km",
        hours=f"h.vehicle_id, h.energy_dc_kwh_sum, h.odometer_km_min, h.odometer_km_max, {KM}",
    )
    return {pk: VehicleSums(dc, low, high, km) for pk, dc, low, high, km in rows}


def vehicle_hours(
    ids: Sequence[int], *, start: datetime, end: datetime
) -> dict[datetime, tuple[float, Decimal]]:
    """Of every hour in [start, end): km and DC kWh of all these vehicles together."""
    parts = _Parts.of(VEHICLES, ids, start, end)
    found = parts.by_hour({"km_by_hour": KM, "energy_dc_kwh_by_hour": _millionths("dc")})
    return {hour: (float(km), _kwh(dc)) for hour, (km, dc) in found.items()}


def meter_hours(ids: Sequence[int], *, start: datetime, end: datetime) -> dict[datetime, Decimal]:
    """Of every hour in [start, end): AC kWh of all these meters together."""
    parts = _Parts.of(METERS, ids, start, end)
    found = parts.by_hour({"energy_ac_kwh_by_hour": _millionths("ac")})
    return {hour: _kwh(ac) for hour, (ac,) in found.items()}


def metered_by_vehicle(ids: Sequence[int], *, start: datetime, end: datetime) -> dict[int, Decimal]:
    """AC kWh of these meters over [start, end), by the vehicle that each was mapped to at the
    beginning of the hour; a vehicle without any is left out."""
    parts = _Parts.of(METERS, ids, start, end)
    rows = parts.rows(
        "SELECT id, sum(ac) FROM ({} UNION ALL {}) p GROUP BY id",
        days="m.vehicle_id AS id, CASE"
        " WHEN m.valid @> tstzrange(d.day, d.day + interval '23 hours', '[]')"
        " THEN d.energy_ac_kwh_sum ELSE (SELECT sum(u.ac) * 0.000001"
        " FROM unnest(d.energy_ac_kwh_by_hour) WITH ORDINALITY AS u (ac, n)"
        " WHERE m.valid @> d.day + (u.n - 1) * interval '1 hour') END AS ac",
        hours="m.vehicle_id, h.energy_ac_kwh_sum",
        join_days="JOIN fleet_metermapping m ON m.meter_id = d.meter_id"
        " AND m.valid && tstzrange(d.day, d.day + interval '24 hours')",
        join_hours="JOIN fleet_metermapping m ON m.meter_id = h.meter_id AND m.valid @> h.hour",
    )
    return {pk: ac for pk, ac in rows if ac is not None}


def _millionths(current: str) -> str:
    return f"coalesce(h.energy_{current}_kwh_sum, 0) * 1000000"


def _kwh(millionths: Decimal | float) -> Decimal:
    return Decimal(millionths).scaleb(-6)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A period, cut into [first, last), which days can tell, and the rest, which hours must."""

    subject: Subject
    ids: Sequence[int]
    start: datetime
    first: datetime
    last: datetime
    end: datetime

    @classmethod
    def of(cls, subject: Subject, ids: Sequence[int], start: datetime, end: datetime) -> _Parts:
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        first = start.replace(hour=0, minute=0, second=0, microsecond=0)
        first += _DAY if first < start else timedelta()
        last = end.replace(hour=0, minute=0, second=0, microsecond=0)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT before FROM telemetry_days_closed WHERE kind = %s", [subject.kind]
            )
            before = cursor.fetchone()
        last = min(last, before[0]) if before else start
        if first >= last:  # no whole day that is closed
            first = last = end
        return cls(subject, ids, start, first, last, end)

    def rows(
        self, around: str, *, days: str, hours: str, join_days: str = "", join_hours: str = ""
    ) -> list[tuple[Any, ...]]:
        """The answer to `around`, a query with two places: for these columns of days, and for
        those of hours."""
        key, of_hours, of_days = self.subject.key, self.subject.hour_table, self.subject.day_table
        told = f"FROM {of_days} d {{}} WHERE d.{key} = ANY(%s) AND d.day >= %s AND d.day < %s"
        span = (
            f"SELECT {hours} FROM {of_hours} h {join_hours}"  # noqa: S608
            f" WHERE h.{key} = ANY(%s) AND h.hour >= %s AND h.hour < %s"
        )
        of_stale = (
            f"JOIN {of_hours} h ON h.{key} = d.{key}"
            " AND h.hour >= d.day AND h.hour < d.day + interval '24 hours'"
            f" AND h.hour >= %s AND h.hour < %s {join_hours}"
        )
        stale = f"SELECT {hours} {told.format(of_stale)} AND d.is_stale"
        sound = f"SELECT {days} {told.format(join_days)} AND NOT d.is_stale"
        ids, whole = list(self.ids), [self.first, self.last]
        ends: list[Any] = [ids, self.start, self.first, ids, self.last, self.end]
        with connection.cursor() as cursor:
            cursor.execute(
                around.format(sound, f"{span} UNION ALL {span} UNION ALL {stale}"),
                [ids, *whole, *ends, *whole, ids, *whole],
            )
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    def by_hour(self, columns: dict[str, str]) -> dict[datetime, list[Any]]:
        """Sums of each hour. `columns`: arrays of the daily table and their SQL over an hour.

        Days are summed up place by place, which is many times quicker than to unfold the
        arrays.
        """
        count = len(columns)
        places = ", ".join(
            f"sum(d.{column}[{number}])" for column in columns for number in range(1, 25)
        )
        # Each in the place of its first hour of a day: a union gives a column one type.
        sums = ", ".join(f"sum(c{at})" + ", NULL" * 23 for at in range(count))
        rows = self.rows(
            "{} GROUP BY d.day UNION ALL"  # noqa: S608
            f" SELECT false, hour, {sums} FROM ({{}}) p GROUP BY hour",
            days=f"true, d.day, {places}",
            hours="h.hour, "
            + ", ".join(f"{sql} AS c{at}" for at, sql in enumerate(columns.values())),
        )
        found: dict[datetime, list[Any]] = {}
        for of_day, at, *values in rows:
            for number in range(24) if of_day else (0,):
                into = found.setdefault(at + number * _HOUR, [0] * count)
                for place, value in enumerate(values[number::24]):
                    into[place] += value or 0
        return found
