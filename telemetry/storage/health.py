"""Device health: what a batch says about the devices it came from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import psycopg
from django.db.backends.utils import CursorWrapper

from telemetry.records import Reading
from telemetry.storage.binary import Column, Type

COLUMNS = (
    Column("device_id", Type.INT8),
    Column("tenant_id", Type.INT8),
    Column("last_seen", Type.TIMESTAMP),
    Column("last_time", Type.TIMESTAMP),
    Column("lag_ms", Type.INT8),
    Column("lag_max_ms", Type.INT8),
    Column("skew_ms", Type.INT8),
    Column("accepted", Type.INT8),
    Column("duplicates", Type.INT8),
    Column("late", Type.INT8),
)

_names = ", ".join(column.name for column in COLUMNS)

UPSERT = f"""
INSERT INTO telemetry_device_health AS t
    ({_names}, refused, refusals, last_refusal_code)
SELECT {_names}, 0, '{{}}'::jsonb, '' FROM stage_health ORDER BY device_id
ON CONFLICT (device_id) DO UPDATE SET
    lag_ms = CASE WHEN t.last_seen IS NULL OR excluded.last_seen >= t.last_seen
                  THEN excluded.lag_ms ELSE t.lag_ms END,
    skew_ms = CASE WHEN t.last_seen IS NULL OR excluded.last_seen >= t.last_seen
                   THEN excluded.skew_ms ELSE t.skew_ms END,
    last_seen = greatest(t.last_seen, excluded.last_seen),
    last_time = greatest(t.last_time, excluded.last_time),
    lag_max_ms = greatest(t.lag_max_ms, excluded.lag_max_ms),
    accepted = t.accepted + excluded.accepted,
    duplicates = t.duplicates + excluded.duplicates,
    late = t.late + excluded.late
"""  # noqa: S608  (column names from the table above)


class BatchHealth:
    """Adds up what one batch says, device by device. Readings without a device are left out."""

    def __init__(self) -> None:
        self._devices: dict[int, list[Any]] = {}

    def count(self, readings: Iterable[Reading], *, outcome: int) -> None:
        """`outcome`: ACCEPTED, DUPLICATE or LATE."""
        devices = self._devices
        for reading in readings:
            device_id = reading.device_id
            if device_id is None:
                continue
            lag = (reading.received_at - reading.time) // 1000
            held = devices.get(device_id)
            if held is None:
                seen, time = reading.received_at, reading.time
                held = devices[device_id] = [
                    device_id, reading.tenant_id, seen, time, lag, lag, lag, 0, 0, 0,
                ]  # fmt: skip
            else:
                if reading.received_at >= held[2]:
                    held[2] = reading.received_at
                    held[4] = lag
                if reading.time > held[3]:
                    held[3] = reading.time
                if lag > held[5]:
                    held[5] = lag
                elif lag < held[6]:
                    held[6] = lag
            held[7] += outcome != DUPLICATE
            held[8] += outcome == DUPLICATE
            held[9] += outcome == LATE

    def rows(self) -> list[Sequence[Any]]:
        """Aligned with COLUMNS, in the order of the key."""
        return [self._devices[device_id] for device_id in sorted(self._devices)]


ACCEPTED, DUPLICATE, LATE = range(3)


class RefusalSeen(NamedTuple):
    """One refusal of a known device, as it went to the quarantine."""

    device_id: int
    tenant_id: int
    code: str
    received_at: datetime


def count_refusals(
    cursor: psycopg.Cursor[Any] | CursorWrapper, refusals: Sequence[RefusalSeen]
) -> None:
    """Add refusals to the health of their devices, in the caller's transaction."""
    by_device: dict[int, list[RefusalSeen]] = {}
    for refusal in refusals:
        by_device.setdefault(refusal.device_id, []).append(refusal)
    for device_id in sorted(by_device):
        found = by_device[device_id]
        newest = max(found, key=lambda refusal: refusal.received_at)
        codes: dict[str, int] = {}
        for refusal in found:
            codes[refusal.code] = codes.get(refusal.code, 0) + 1
        cursor.execute(
            """
            INSERT INTO telemetry_device_health AS t (device_id, tenant_id, accepted, duplicates,
                late, refused, refusals, last_refusal_at, last_refusal_code)
            VALUES (%s, %s, 0, 0, 0, %s, %s::jsonb, %s, %s)
            ON CONFLICT (device_id) DO UPDATE SET
                refused = t.refused + excluded.refused,
                refusals = t.refusals || (
                    SELECT jsonb_object_agg(key, value::bigint
                           + coalesce((t.refusals ->> key)::bigint, 0))
                    FROM jsonb_each_text(excluded.refusals)),
                last_refusal_code = CASE
                    WHEN t.last_refusal_at IS NULL OR excluded.last_refusal_at >= t.last_refusal_at
                    THEN excluded.last_refusal_code ELSE t.last_refusal_code END,
                last_refusal_at = greatest(t.last_refusal_at, excluded.last_refusal_at)
            """,
            [
                device_id, newest.tenant_id, len(found), msgspec.json.encode(codes).decode(),
                newest.received_at, newest.code,
            ],
        )  # fmt: skip
