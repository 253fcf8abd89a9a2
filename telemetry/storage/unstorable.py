"""Quarantine of what had been accepted and yet cannot be stored.

Such a reading is a fault of ours (a contract that lets through what a column cannot hold),
so it is kept as the record it was, and can be replayed once the fault is mended.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import structlog

from telemetry.clock import from_us
from telemetry.models.quarantine import ACCEPTED, SENT
from telemetry.records import SCHEMA_VERSION, Reading, VehicleReading
from telemetry.storage import health
from telemetry.streams import Entry, encode_readings

ADAPTER = "record"
"""The raw bytes are an entry of the ingress log, not a frame of a device."""
CODE = "unstorable"
STILL_UNSTORABLE = "still cannot be stored"
_MAX_RAW = 64 * 1024

log = structlog.get_logger(__name__)


def quarantine_reading(connection: psycopg.Connection[Any], reading: Reading, why: str) -> None:
    """Set one reading aside; a second time changes nothing, unless a replay had sent it."""
    vehicle = isinstance(reading, VehicleReading)
    subject_id = reading.vehicle_id if isinstance(reading, VehicleReading) else reading.meter_id
    log_id = f"{'v' if vehicle else 'm'}{subject_id}:{reading.time}:{reading.reading_id}"
    received_at = from_us(reading.received_at)
    log.error(
        "reading_unstorable",
        tenant_id=reading.tenant_id,
        device_id=reading.device_id,
        reading_id=reading.reading_id,
        why=why,
    )
    with connection.transaction(), connection.cursor() as cursor:
        added = _insert(
            cursor, log_id, reading.tenant_id, reading.device_id, why,
            encode_readings([reading]), received_at,
        )  # fmt: skip
        if added and reading.device_id is not None:
            seen = health.RefusalSeen(reading.device_id, reading.tenant_id, CODE, received_at)
            health.count_refusals(cursor, [seen])


def quarantine_entry(
    connection: psycopg.Connection[Any], partition: int, entry: Entry, why: str
) -> None:
    """Set aside an entry of the ingress log that is not a list of readings."""
    log.error("entry_unreadable", partition=partition, entry=entry.id, why=why)
    received_at = datetime.fromtimestamp(int(entry.id.split("-")[0]) / 1000, tz=UTC)
    with connection.transaction(), connection.cursor() as cursor:
        _insert(
            cursor, f"ingress:{partition}:{entry.id}", None, None, why, entry.payload, received_at
        )


def _insert(
    cursor: psycopg.Cursor[Any],
    log_id: str,
    tenant_id: int | None,
    device_id: int | None,
    why: str,
    raw: bytes,
    received_at: datetime,
) -> bool:
    cursor.execute(
        """
        INSERT INTO telemetry_quarantined_frame (log_id, tenant_id, device_id, adapter,
            adapter_version, code, field, detail, raw, raw_size, received_at, replay_outcome)
        VALUES (%s, %s, %s, %s, %s, %s, '', %s, %s, %s, %s, '')
        ON CONFLICT (log_id) DO UPDATE SET replay_outcome = %s, detail = excluded.detail
            WHERE telemetry_quarantined_frame.replay_outcome IN (%s, %s)
        RETURNING xmax = 0
        """,
        [
            f"unstorable:{log_id}", tenant_id, device_id, ADAPTER, SCHEMA_VERSION, CODE,
            why.replace("\0", "␀"), raw[:_MAX_RAW], len(raw), received_at,
            STILL_UNSTORABLE, SENT, ACCEPTED,
        ],
    )  # fmt: skip
    return cursor.fetchone() == (True,)
