"""What is old goes: history and its roll-ups together, chunk by chunk or tenant by tenant.

The platform's period drops whole chunks, which costs the same however much is in them. A
tenant's shorter period deletes along the primary key, one subject and one day at a time, in
transactions of their own. Both cut at midnight UTC, so that an hour is there whole or not.
Latest states stay: they are not history.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import psycopg
import structlog
from django.conf import settings

from telemetry.storage.days import lock_shared
from telemetry.storage.subjects import SUBJECTS, Subject
from tenants.models import Organisation

_DELETE_AT_ONCE = 5000

log = structlog.get_logger(__name__)


def days_kept(own: int | None) -> int:
    """For how long an organisation's history is kept; `own` is its own period, if it has one."""
    platform: int = settings.TELEMETRY_RETENTION_DAYS
    return platform if own is None else min(platform, own)


def cutoff(now: datetime, days: int) -> datetime:
    """Midnight, UTC: what is older is no longer kept."""
    return (now.astimezone(UTC) - timedelta(days=days)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )


def kept_since(now: datetime, tenant_id: int | None) -> datetime:
    """From when on all history is there, of one tenant or of every one."""
    shorter = Organisation.objects.filter(retention_days__isnull=False)
    if tenant_id is not None:
        shorter = shorter.filter(pk=tenant_id)
    own = [days for days in shorter.values_list("retention_days", flat=True) if days is not None]
    return cutoff(now, min([settings.TELEMETRY_RETENTION_DAYS, *own]))


def expire(connection: psycopg.Connection[Any], now: datetime) -> dict[str, int]:
    """Remove what is older than its period; returns what went, by name. Can be repeated."""
    limit = cutoff(now, settings.TELEMETRY_RETENTION_DAYS)
    gone = {"chunks": _drop_chunks(connection, limit), "readings": 0, "hours": 0}
    for subject in SUBJECTS:
        gone["hours"] += _delete_rolled_up(connection, subject, subject.hour_table, "hour", limit)
        _delete_rolled_up(connection, subject, subject.day_table, "day", limit)
    for tenant_id, days in Organisation.objects.filter(
        retention_days__lt=settings.TELEMETRY_RETENTION_DAYS
    ).values_list("pk", "retention_days"):
        for subject in SUBJECTS:
            own_limit = cutoff(now, days_kept(days))
            for subject_id in _subjects_of(connection, subject, tenant_id):
                readings, hours = _delete_days(connection, subject, subject_id, own_limit)
                gone["readings"] += readings
                gone["hours"] += hours
    gone["frames"] = _delete_frames(connection, cutoff(now, settings.TELEMETRY_QUARANTINE_DAYS))
    gone["columnstore"] = _convert_old_chunks(connection, now)
    log.info("retention", **gone)
    return gone


def _drop_chunks(connection: psycopg.Connection[Any], limit: datetime) -> int:
    """Chunks that end before `limit`; a few at a time, since each takes locks of its own."""
    dropped = 0
    for table in [t for s in SUBJECTS for t in (s.history_table, s.hour_table, s.day_table)]:
        for end in _chunk_ends(connection, table, limit):
            dropped += len(
                connection.execute("SELECT drop_chunks(%s::regclass, %s)", [table, end]).fetchall()
            )
    return dropped


def _chunk_ends(connection: psycopg.Connection[Any], table: str, limit: datetime) -> list[datetime]:
    rows = connection.execute(
        "SELECT DISTINCT range_end FROM timescaledb_information.chunks"
        " WHERE hypertable_name = %s AND range_end <= %s ORDER BY 1",
        [table, limit],
    )
    return [end for (end,) in rows]


def _delete_rolled_up(
    connection: psycopg.Connection[Any], subject: Subject, table: str, time: str, limit: datetime
) -> int:
    """Roll-ups of dropped history; their chunks are longer, so that one may straddle the limit."""
    return _delete_in_batches(
        connection,
        f"""
        DELETE FROM {table} WHERE ({subject.key}, {time}) IN (
            SELECT {subject.key}, {time} FROM {table} WHERE {time} < %s LIMIT %s)
        AND {time} < %s
        """,  # noqa: S608
        [limit, _DELETE_AT_ONCE, limit],
    )


def _delete_days(
    connection: psycopg.Connection[Any], subject: Subject, subject_id: int, limit: datetime
) -> tuple[int, int]:
    """History and roll-ups of one subject before `limit`, a day a transaction, oldest first."""
    readings = hours = 0
    while True:
        oldest = connection.execute(
            f"SELECT time FROM {subject.history_table}"  # noqa: S608
            f" WHERE {subject.key} = %s AND time < %s ORDER BY time LIMIT 1",
            [subject_id, limit],
        ).fetchone()
        if oldest is None:
            return readings, hours
        day = cutoff(oldest[0], 0)
        span = [subject_id, day, day + timedelta(days=1)]
        with connection.transaction():
            lock_shared(connection, subject)  # nobody closes the day half-way through
            readings += connection.execute(
                f"DELETE FROM {subject.history_table}"  # noqa: S608
                f" WHERE {subject.key} = %s AND time >= %s AND time < %s",
                span,
            ).rowcount
            hours += connection.execute(
                f"DELETE FROM {subject.hour_table}"  # noqa: S608
                f" WHERE {subject.key} = %s AND hour >= %s AND hour < %s",
                span,
            ).rowcount
            connection.execute(
                f"DELETE FROM {subject.day_table} WHERE {subject.key} = %s AND day = %s",  # noqa: S608
                [subject_id, day],
            )


def _subjects_of(
    connection: psycopg.Connection[Any], subject: Subject, tenant_id: int
) -> Iterator[int]:
    after = -1
    while True:
        found = connection.execute(
            f"SELECT {subject.key} FROM {subject.latest_table}"  # noqa: S608
            f" WHERE tenant_id = %s AND {subject.key} > %s ORDER BY 1 LIMIT 1000",
            [tenant_id, after],
        ).fetchall()
        yield from (subject_id for (subject_id,) in found)
        if len(found) < 1000:
            return
        after = found[-1][0]


def _delete_frames(connection: psycopg.Connection[Any], limit: datetime) -> int:
    return _delete_in_batches(
        connection,
        """
        DELETE FROM telemetry_quarantined_frame WHERE id IN (
            SELECT id FROM telemetry_quarantined_frame WHERE received_at < %s
            ORDER BY received_at LIMIT %s)
        """,
        [limit, _DELETE_AT_ONCE],
    )


def _delete_in_batches(connection: psycopg.Connection[Any], sql: str, parameters: list[Any]) -> int:
    deleted = 0
    while batch := connection.execute(sql, parameters).rowcount:
        deleted += batch
    return deleted


def licence_allows_columnstore(connection: psycopg.Connection[Any]) -> bool:
    """Whether this TimescaleDB is the Community edition; the Apache one has no columnstore."""
    row = connection.execute("SHOW timescaledb.license").fetchone()
    return row is not None and row[0] == "timescale"


@cache
def _say_that_there_is_no_columnstore() -> None:
    """Once a process: old history stays in rows, which costs about five times the space."""
    log.info("no_columnstore", reason="timescaledb.license is not 'timescale'")


def _convert_old_chunks(connection: psycopg.Connection[Any], now: datetime) -> int:
    """Turn chunks older than TELEMETRY_COLUMNSTORE_AFTER_DAYS to columns, where permitted.

    Late readings are still taken into them, as rows beside the columns. The older names of
    the commands are used (`compress`, `compress_chunk`): every release of TimescaleDB 2 has
    them. All columns of the primary key are in segment and order, as it demands.
    """
    if not licence_allows_columnstore(connection):
        _say_that_there_is_no_columnstore()
        return 0
    converted = 0
    limit = cutoff(now, settings.TELEMETRY_COLUMNSTORE_AFTER_DAYS)
    for subject in SUBJECTS:
        enabled = connection.execute(
            "SELECT compression_enabled FROM timescaledb_information.hypertables"
            " WHERE hypertable_name = %s",
            [subject.history_table],
        ).fetchone()
        if enabled != (True,):
            _enable_columnstore(connection, subject)
        chunks = connection.execute(
            "SELECT format('%%I.%%I', chunk_schema, chunk_name)"
            " FROM timescaledb_information.chunks WHERE hypertable_name = %s"
            " AND range_end <= %s AND NOT is_compressed ORDER BY range_end",
            [subject.history_table, limit],
        ).fetchall()
        for (chunk,) in chunks:
            connection.execute("SELECT compress_chunk(%s::regclass)", [chunk])
            converted += 1
    return converted


def _enable_columnstore(connection: psycopg.Connection[Any], subject: Subject) -> None:
    connection.execute(
        f"ALTER TABLE {subject.history_table} SET (timescaledb.compress,"
        f" timescaledb.compress_segmentby = '{subject.key}',"
        f" timescaledb.compress_orderby = 'time, reading_id')"
    )
