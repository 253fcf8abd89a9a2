"""Refusals: as many as are counted by code, and no more in the quarantine than were counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.rows import dict_row

from telemetry.verification.difference import AT_ONCE, Difference

_COUNTS = """
SELECT h.device_id, h.refused, h.refusals, q.kept, q.codes
FROM (SELECT * FROM telemetry_device_health WHERE device_id > %s
        AND (%s::bigint IS NULL OR tenant_id = %s)
      ORDER BY device_id LIMIT %s) h,
LATERAL (SELECT coalesce(sum(n), 0)::bigint AS kept,
                coalesce(jsonb_object_agg(code, n), '{}') AS codes
         FROM (SELECT code, count(*) AS n FROM telemetry_quarantined_frame
               WHERE device_id = h.device_id GROUP BY code) c) q
ORDER BY h.device_id
"""


def check(
    connection: psycopg.Connection[Any], tenant_id: int | None, compared: dict[str, int]
) -> Iterator[Difference]:
    """Each statement is a snapshot of its own: refusals and their count commit together."""
    after = -1
    while True:
        with connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(_COUNTS, [after, tenant_id, tenant_id, AT_ONCE]).fetchall()
        for row in rows:
            compared["devices"] += 1
            where = f"device {row['device_id']}"
            counted = sum(row["refusals"].values())
            if counted != row["refused"]:
                yield Difference("refusals", where, str(counted), str(row["refused"]))
            if row["kept"] > row["refused"]:
                yield Difference("quarantine", where, str(row["codes"]), str(row["refusals"]))
        if len(rows) < AT_ONCE:
            return
        after = rows[-1]["device_id"]
