"""What a vehicle has done lately, for whoever has just selected it on the live page: its way
of the last hour with speeds, its values as small lines, and today's totals."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from fleet.models import Vehicle
from telemetry import arrays, sampling
from telemetry.arrays import Floats, Rows, Times
from telemetry.clock import to_us
from telemetry.journey import POWER, Journey
from telemetry.journey_totals import filled

SPAN: Final = timedelta(hours=1)
SPARK_POINTS: Final = 120
PLACES: Final = 400
"""About how many positions of the way; a bend is kept, a straight is not."""
SPARKS: Final = ("speed_kmh", "soc_pct", "battery_temp_c", POWER, "fuel_pct", "range_km")


def last_hour(vehicle: Vehicle, *, now: datetime) -> dict[str, Any]:
    """`way`: [time in ms, lon, lat, km/h or None], oldest first; `sparks`: {field: [times in
    ms, values]}, broken by None where it was silent."""
    start = now - SPAN
    journey = Journey(
        to_us(start),
        to_us(now),
        gap_us=vehicle.silent_after_s * 1_000_000,
        points=SPARK_POINTS,
    )
    way: list[list[Any]] = []
    for page in arrays.pages(vehicle.pk, start=start, end=now):
        journey.add(page)
        way += _way(page)
    journey.close(to_us(now))
    sparks = {}
    for name in SPARKS:
        time, values = journey.series(name)
        if len(time):
            sparks[name] = [_ms(time), _numbers(values, 2)]
    return {
        "way": way,
        "sparks": sparks,
        "gaps": [[gap.start // 1000, gap.end // 1000] for gap in journey.gaps if not gap.is_open],
    }


def today(vehicle: Vehicle, *, start: datetime, now: datetime) -> dict[str, Any]:
    """Distance, energy and time under way since `start`, as the vehicle's page tells them."""
    journey = Journey(
        to_us(start),
        to_us(now),
        gap_us=vehicle.silent_after_s * 1_000_000,
        points=16,
    )
    for page in arrays.pages(vehicle.pk, start=start, end=now):
        journey.add(page)
    totals = journey.totals
    spent, estimated = totals.spent_kwh(vehicle.battery_capacity_kwh)
    charged = totals.charged_kwh
    return {
        "distance_km": round(totals.distance_km, 2),
        "spent_kwh": None if spent is None else round(spent, 2),
        "estimated": estimated,
        "charged_kwh": None if charged is None else float(charged),
        "moving_s": round(totals.moving_s),
        "idle_s": round(totals.idle_s),
    }


def _way(page: Rows) -> list[list[Any]]:
    known = filled(page)
    placed = ~np.isnan(page.values["lat"]) & ~np.isnan(page.values["lon"])
    if not placed.any():
        return []
    time, lon, lat = page.time[placed], page.values["lon"][placed], page.values["lat"][placed]
    speed = known.values["speed_kmh"][placed]
    kept = sampling.landmarks(time, lon, lat, PLACES)
    return [
        list(each)
        for each in zip(
            _ms(time[kept]),
            _numbers(lon[kept], 6),
            _numbers(lat[kept], 6),
            _numbers(speed[kept], 1),
            strict=True,
        )
    ]


def _ms(times: Times) -> list[int]:
    found: list[int] = (times // 1000).tolist()
    return found


def _numbers(values: Floats, digits: int) -> list[float | None]:
    return [None if value != value else value for value in np.round(values, digits).tolist()]
