"""Energy in and out of a vehicle over a day: roll-ups for its full hours, history for the edges.

Every number is decimal and exact until it is rounded once, half up, for the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from django.db import connection

from fleet.models import Vehicle
from fleet.selectors import meters_for_vehicle, meters_of_fleet
from telemetry.storage.subjects import METERS, VEHICLES, Subject

WINDOW = timedelta(hours=24)
_TICK = timedelta(microseconds=1)
_CENT = Decimal("0.01")
_BASIS_POINT = Decimal("0.0001")

Span = tuple[int, datetime, datetime]
"""A subject's id and a half-open time [from, to)."""


@dataclass(frozen=True)
class Performance:
    """What a vehicle took in and gave out in (start, end]. None: nothing was reported."""

    start: datetime
    end: datetime
    total_ac_kwh: Decimal | None
    total_dc_kwh: Decimal | None
    efficiency: Decimal | None
    """DC by AC; None where either is missing or AC is zero."""
    avg_battery_temp: Decimal | None
    ac_source: Literal["mapped", "fleet"]
    """Meters mapped to the vehicle in that time; or, where none is, all of its fleet's."""


def performance(vehicle: Vehicle, at: datetime) -> Performance:
    """The 24 hours up to and including `at`."""
    # Time is in microseconds, so (start, at] is [start + 1 µs, at + 1 µs).
    start, end = at - WINDOW + _TICK, at + _TICK
    mapped = meters_for_vehicle(vehicle, start, end)
    meters = mapped or [(meter_id, start, end) for meter_id in meters_of_fleet(vehicle.fleet_id)]
    ac, _ = _total(METERS, "energy_ac_kwh", meters)
    mine = [(vehicle.pk, start, end)]
    dc, _ = _total(VEHICLES, "energy_dc_kwh", mine)
    temperature, readings = _total(VEHICLES, "battery_temp_c", mine)
    return Performance(
        start=at - WINDOW,
        end=at,
        total_ac_kwh=_rounded(ac, _CENT),
        total_dc_kwh=_rounded(dc, _CENT),
        efficiency=_rounded(dc / ac, _BASIS_POINT) if ac and dc is not None else None,
        avg_battery_temp=_rounded(temperature / readings, _CENT)
        if temperature is not None
        else None,
        ac_source="mapped" if mapped else "fleet",
    )


def _rounded(value: Decimal | None, to: Decimal) -> Decimal | None:
    return None if value is None else value.quantize(to, ROUND_HALF_UP)


def _hour_floor(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _split(span: Span) -> tuple[Span | None, list[Span]]:
    """The full hours of a span, and the edges before and after them."""
    subject_id, start, end = span
    first, last = _hour_floor(start), _hour_floor(end)
    if first < start:
        first += timedelta(hours=1)
    if first >= last:
        return None, [span]
    edges = [(subject_id, start, first), (subject_id, last, end)]
    return (subject_id, first, last), [edge for edge in edges if edge[1] < edge[2]]


def _total(subject: Subject, field: str, spans: list[Span]) -> tuple[Decimal | None, int]:
    """Sum of a field over the spans and the number of its values; None where there are none."""
    hours, edges = [], []
    for span in spans:
        full, rest = _split(span)
        hours += [full] if full else []
        edges += rest
    is_energy = field.startswith("energy")
    # The same six decimals as a roll-up keeps; see telemetry.storage.rollups.
    exact = (
        f"h.{field}" if is_energy else f"round(h.{field} * 1000000.0::float8)::bigint * 0.000001"
    )
    totals = [
        _sum(
            f"sum(h.{field}_sum), coalesce(sum(h.{field}_count), 0)",
            subject, subject.hour_table, "hour", hours,
        ),
        _sum(
            f"sum({exact})::numeric, count(h.{field})",
            subject, subject.history_table, "time", edges,
        ),
    ]  # fmt: skip
    sums = [total for total, _ in totals if total is not None]
    return (sum(sums, Decimal(0)) if sums else None), sum(count for _, count in totals)


def _sum(
    what: str, subject: Subject, table: str, time: str, spans: list[Span]
) -> tuple[Decimal | None, int]:
    if not spans:
        return None, 0
    ids, starts, ends = (list(part) for part in zip(*spans, strict=True))
    parameters: list[Any] = [ids, starts, ends, min(starts), max(ends)]
    with connection.cursor() as cursor:
        # The outer bounds are constants, so that chunks are excluded when it is planned.
        cursor.execute(
            f"SELECT {what} FROM"  # noqa: S608
            f" unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS s (id, low, high)"
            f" JOIN {table} h ON h.{subject.key} = s.id"
            f" AND h.{time} >= s.low AND h.{time} < s.high"
            f" WHERE h.{time} >= %s AND h.{time} < %s",
            parameters,
        )
        total, count = cursor.fetchone()
    return total, int(count)
