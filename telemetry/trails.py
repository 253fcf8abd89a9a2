"""Where vehicles have just been: the lines behind them on the live map."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache
from django.db import connection

TRAIL_MINUTES = 10
STEP_SECONDS = 10
MOST_VEHICLES = 200
"""Those heard of last. With more in sight, trails would hide the map."""
CACHE_SECONDS = 15

_TRAILS = """
    SELECT v.reference,
           array_agg((extract(epoch FROM p.time) * 1e6)::bigint ORDER BY p.time),
           array_agg(p.lon ORDER BY p.time), array_agg(p.lat ORDER BY p.time)
    FROM (
        SELECT vehicle_id FROM telemetry_vehicle_latest
        WHERE tenant_id = %(tenant)s AND time > now() - %(span)s * interval '1 minute'
        ORDER BY time DESC LIMIT %(most)s
    ) heard
    JOIN fleet_vehicle v ON v.id = heard.vehicle_id AND v.archived_at IS NULL
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (time_bucket(%(step)s * interval '1 second', r.time))
               r.time, r.lat, r.lon
        FROM telemetry_vehicle_reading r
        WHERE r.vehicle_id = v.id AND r.lat IS NOT NULL AND r.lon IS NOT NULL
          AND r.time > now() - %(span)s * interval '1 minute' AND r.time <= now()
        ORDER BY time_bucket(%(step)s * interval '1 second', r.time), r.time
    ) p
    WHERE v.tenant_id = %(tenant)s
    GROUP BY v.reference
"""


def recent_trails(tenant_id: int) -> dict[str, list[list[Any]]]:
    """`{reference: [[time_us, lon, lat], ...]}`, oldest first, one point per ten seconds.

    Bounded by MOST_VEHICLES and TRAIL_MINUTES, whatever the length of history.
    """
    key = f"live:trails:{tenant_id}"
    trails: dict[str, list[list[Any]]] | None = cache.get(key)
    if trails is None:
        with connection.cursor() as cursor:
            cursor.execute(
                _TRAILS,
                {
                    "tenant": tenant_id,
                    "span": TRAIL_MINUTES,
                    "step": STEP_SECONDS,
                    "most": MOST_VEHICLES,
                },
            )
            trails = {
                reference: [list(point) for point in zip(times, lons, lats, strict=True)]
                for reference, times, lons, lats in cursor.fetchall()
            }
        cache.set(key, trails, CACHE_SECONDS)
    return trails
