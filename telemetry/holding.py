"""Since when vehicles have been doing what they do: "idle for 12 minutes"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from telemetry.clock import to_us
from telemetry.status import MOVING_FROM_KMH, Status

WINDOW: Final = timedelta(hours=12)
"""Longer ago is "for more than twelve hours": what is read does not grow with history."""
MOST: Final = 60
"""Vehicles asked for at once: those in sight."""

_MOVES = f"r.speed_kmh >= {MOVING_FROM_KMH}"
_ENDS: Final = {
    Status.MOVING: f"r.speed_kmh < {MOVING_FROM_KMH}",
    Status.IDLE: f"({_MOVES} OR r.charging OR NOT r.ignition)",
    Status.CHARGING: f"({_MOVES} OR NOT r.charging)",
    Status.PARKED: f"({_MOVES} OR r.charging OR r.ignition)",
}
"""What a reading says that contradicts a status, by the rule of `telemetry.status`; one that
says nothing of it contradicts nothing."""
_CONTRADICTS = " OR ".join(
    f"(asked.status = '{status}' AND {sql})" for status, sql in _ENDS.items()
)
_SINCE = f"""
    SELECT v.reference, began.time, other.time IS NULL
    FROM unnest(%(references)s::text[], %(statuses)s::text[]) AS asked (reference, status)
    JOIN fleet_vehicle v ON v.tenant_id = %(tenant)s AND v.reference = asked.reference
    LEFT JOIN LATERAL (
        SELECT r.time FROM telemetry_vehicle_reading r
        WHERE r.vehicle_id = v.id AND r.time > %(since)s AND r.time <= %(now)s
          AND ({_CONTRADICTS})
        ORDER BY r.time DESC LIMIT 1
    ) other ON true
    CROSS JOIN LATERAL (
        SELECT r.time FROM telemetry_vehicle_reading r
        WHERE r.vehicle_id = v.id AND r.time > coalesce(other.time, %(since)s)
          AND r.time <= %(now)s AND r.time > %(since)s
        ORDER BY r.time LIMIT 1
    ) began
"""  # noqa: S608 (constants of this module)


def since(
    tenant_id: int, statuses: Mapping[str, str], *, now: datetime
) -> dict[str, tuple[int, bool]]:
    """`{reference: (microseconds, at least)}` for vehicles and what they are doing now; "at
    least": it has been doing so for all of the window, and perhaps before."""
    asked = {ref: status for ref, status in statuses.items() if status in _ENDS}
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "references": list(asked),
        "statuses": list(asked.values()),
        "since": now - WINDOW,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SINCE, parameters)
        return {reference: (to_us(time), longer) for reference, time, longer in cursor.fetchall()}
