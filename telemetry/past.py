"""The whole fleet as it was at a past moment: one query, whatever the length of history.

Of each vehicle the newest readings up to the moment are merged, field by field, as the latest
state is; only those of the day before it are looked at, so that at most two or three chunks are
opened, and `READINGS` of them, so that the cost is the number of vehicles.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

WINDOW: Final = timedelta(hours=24)
"""A vehicle that had not spoken for so long is not placed."""
READINGS: Final = 8
"""Readings of a vehicle that are merged: devices that send only what changed send the rest
within a few."""
FIELDS: Final = (
    "lat", "lon", "speed_kmh", "heading_deg", "soc_pct", "fuel_pct", "ignition", "charging",
    "battery_temp_c", "driver",
)  # fmt: skip

_NEWEST = ", ".join(
    # The rows come in order, the newest first.
    f"(array_agg({name}) FILTER (WHERE {name} IS NOT NULL))[1] AS {name}"
    for name in FIELDS
)
_FLEET = f"""
    SELECT v.reference, (extract(epoch FROM then_.time) * 1000)::bigint,
           {", ".join(f"then_.{name}" for name in FIELDS)}
    FROM fleet_vehicle v
    JOIN fleet_fleet f ON f.id = v.fleet_id AND f.archived_at IS NULL
    CROSS JOIN LATERAL (
        SELECT max(time) AS time, {_NEWEST} FROM (
            SELECT time, {", ".join(FIELDS)} FROM telemetry_vehicle_reading r
            WHERE r.vehicle_id = v.id AND r.time > %(since)s AND r.time <= %(at)s
            ORDER BY r.time DESC, r.reading_id DESC LIMIT {READINGS}
        ) newest
    ) then_
    WHERE v.tenant_id = %(tenant)s AND v.archived_at IS NULL AND then_.time IS NOT NULL
"""  # noqa: S608 (names of columns)


def fleet_at(tenant_id: int, at: datetime) -> dict[str, list[Any]]:
    """Columns, a row for each vehicle that had spoken: `id`, `time` (milliseconds since 1970)
    and the fields; what was not known is None."""
    with connection.cursor() as cursor:
        cursor.execute(_FLEET, {"tenant": tenant_id, "at": at, "since": at - WINDOW})
        rows = cursor.fetchall()
    names = ("id", "time", *FIELDS)
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}
