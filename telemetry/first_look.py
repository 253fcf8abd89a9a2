"""What the live page shows before its socket has said anything: a few vehicles, as they are
when the page is made. The whole fleet follows by the socket and takes their place."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any, Final

import msgspec
from django.db import connection

from fleet.models import Fleet
from telemetry.snapshots import entries_of, snapshot_part
from telemetry.status import LOW_SOC_PCT, MOVING_FROM_KMH, SILENT_AT, SPEEDING_KMH

MOST: Final = 30
"""More than a list on a desk has in sight."""

# As the list sorts by itself: who wants an eye, then who moves. What is silent comes after
# what is not; the rest of the order is the page's.
_FIRST = f"""
    SELECT v.id, v.fleet_id
    FROM fleet_vehicle v
    JOIN fleet_fleet f ON f.id = v.fleet_id AND f.archived_at IS NULL
    LEFT JOIN telemetry_vehicle_latest l ON l.vehicle_id = v.id
    CROSS JOIN LATERAL (SELECT ({SILENT_AT} > now()) IS TRUE AS speaks) heard
    WHERE v.tenant_id = %(tenant)s AND v.archived_at IS NULL
    ORDER BY
        (heard.speaks
         AND (cardinality(l.alarms) > 0 OR l.speed_kmh > %(speeding)s
              OR (l.soc_pct < %(low)s AND l.charging IS NOT TRUE))) IS TRUE DESC,
        heard.speaks DESC,
        (l.speed_kmh >= %(moving)s) IS TRUE DESC,
        v.name, v.id
    LIMIT %(most)s
"""  # noqa: S608 (a constant of our own)


def first_look(tenant_id: int) -> list[dict[str, Any]]:
    """One message a fleet, like a part of the socket's snapshot (docs/live-protocol.md) that is
    neither the first nor the last."""
    parameters = {
        "tenant": tenant_id,
        "most": MOST,
        "low": LOW_SOC_PCT,
        "speeding": SPEEDING_KMH,
        "moving": MOVING_FROM_KMH,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, parameters)
        homes: dict[int, int] = dict(cursor.fetchall())
    entries = entries_of(tenant_id, list(homes))
    fleets = Fleet.objects.for_tenant(tenant_id).in_bulk(set(homes.values()))
    by_fleet: dict[int, list[Any]] = defaultdict(list)
    for vehicle, entry in entries.items():
        by_fleet[homes[vehicle]].append(entry)
    messages = [
        {"server_time_us": time.time_ns() // 1000}
        | snapshot_part(fleets[pk].reference, fleets[pk].name, 0, 1, vehicles=listed, meters=[])
        for pk, listed in by_fleet.items()
    ]
    # Decimal numbers as the socket sends them.
    plain: list[dict[str, Any]] = msgspec.json.decode(
        msgspec.json.Encoder(decimal_format="number").encode(messages)
    )
    return plain
