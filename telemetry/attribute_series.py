"""A number among the attributes as a line for a chart: M4 in SQL, four points a bucket.

Attributes are looked into one by one and only for the charts that are shown: taking a
number out of jsonb costs as much as reading ten columns. See `telemetry.sampling` for M4.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from django.db import connection

from telemetry.arrays import Floats, Times
from telemetry.clock import to_us
from telemetry.fields import Field, Kind
from telemetry.sampling import EACH

MOST: Final = 12
"""Attributes drawn at once."""
_GREATEST: Final = "1e300"
"""Digits that no float holds are left out, rather than failing the whole chart."""
_UNITS: Final = {
    "kmh": "km/h", "pct": "%", "c": "°C", "v": "V", "a": "A", "kw": "kW", "kwh": "kWh",
    "km": "km", "m": "m", "rpm": "rpm", "deg": "°",
}  # fmt: skip


def charted(latest: Mapping[str, Any] | None) -> dict[str, Field]:
    """Attributes that are numbers in the merged latest state, by name."""
    return {
        name: described(name)
        for name, value in sorted((latest or {}).items())
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def described(name: str) -> Field:
    """`cell_max_c` is "Cell max" in °C: names end in their unit, as those of the fields do."""
    words = name.split("_")
    unit = _UNITS.get(words[-1].lower(), "") if len(words) > 1 else ""
    shown = " ".join(words[:-1] if unit else words).strip() or name
    return Field(name, Kind.NUMBER, shown[:1].upper() + shown[1:], unit)


def series(
    vehicle_id: int, name: str, *, start: datetime, end: datetime, points: int
) -> tuple[Times, Floats]:
    """At most `points` of start <= time < end, the extremes of every bucket among them."""
    width = max((end - start) / max(points // EACH, 1), timedelta(milliseconds=1))
    parameters: dict[str, Any] = {
        "name": name, "vehicle": vehicle_id, "start": start, "end": end, "width": width,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            # OFFSET 0: what is no number is gone before anything is read as one.
            "WITH numbers AS (SELECT time, (attributes ->> %(name)s)::numeric AS value"  # noqa: S608
            " FROM telemetry_vehicle_reading WHERE vehicle_id = %(vehicle)s"
            " AND time >= %(start)s AND time < %(end)s"
            " AND jsonb_typeof(attributes -> %(name)s) = 'number' OFFSET 0),"
            " sent AS (SELECT time, value::float8 AS value FROM numbers"
            f" WHERE abs(value) < {_GREATEST} OFFSET 0)"
            " SELECT min(time), first(value, time), max(time), last(value, time),"
            " first(time, value), min(value), last(time, value), max(value)"
            " FROM sent GROUP BY time_bucket(%(width)s, time, %(start)s) ORDER BY 1",
            parameters,
        )
        rows = cursor.fetchall()
    pairs = sorted({(to_us(row[at]), row[at + 1]) for row in rows for at in range(0, 2 * EACH, 2)})
    return (
        np.array([time for time, _value in pairs], dtype=np.int64),
        np.array([value for _time, value in pairs], dtype=np.float64),
    )
