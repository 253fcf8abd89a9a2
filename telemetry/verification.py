"""Recomputes from history what was kept beside it, and says where the two differ.

Fit for a live system: it reads one vehicle or meter at a time, and a bounded span of its
history at a time, each comparison inside one REPEATABLE READ snapshot; what the writer
commits in between belongs to the next snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from telemetry import routes
from telemetry.storage.latest import MAX_ATTRIBUTES
from telemetry.storage.rollups import aggregates
from telemetry.storage.subjects import SUBJECTS, Subject
from telemetry.streams import INGRESS, QUARANTINE, STORED, PartitionedLog, sync_client

_SUBJECTS_AT_ONCE = 500
_SPAN = timedelta(days=7)
_ENTRIES_AT_ONCE = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be."""

    what: str
    where: str
    expected: str
    found: str


class Verification:
    """All checks over one connection. `tenant_id`: only what belongs to that tenant."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        *,
        tenant_id: int | None = None,
        since: datetime | None = None,
        kept_since: datetime | None = None,
    ) -> None:
        """`kept_since`: before that, retention may have removed history."""
        self._connection = connection
        self._tenant_id = tenant_id
        self._since = since
        self._kept_since = kept_since
        self.compared = {"vehicles": 0, "meters": 0, "hours": 0, "entries": 0, "devices": 0}

    def differences(self) -> Iterator[Difference]:
        """Every difference, as it is found."""
        for subject in SUBJECTS:
            for subject_id in self._subjects(subject):
                with self._connection.transaction(), self._cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    yield from self._latest(cursor, subject, subject_id)
                    yield from self._hours(cursor, subject, subject_id)
                self.compared[f"{subject.noun}s"] += 1
        yield from self._devices()
        for log in (INGRESS, STORED, QUARANTINE):
            for partition in range(log.partitions):
                yield from self._log(log, partition)

    def _cursor(self) -> psycopg.Cursor[dict[str, Any]]:
        return self._connection.cursor(row_factory=dict_row)

    def _subjects(self, subject: Subject) -> Iterator[int]:
        """Everything with a latest state, and everything with history and none."""
        after = -1
        while True:
            found = self._connection.execute(
                f"SELECT {subject.key} FROM {subject.latest_table} WHERE {subject.key} > %s"  # noqa: S608
                f" AND (%s::bigint IS NULL OR tenant_id = %s) ORDER BY 1 LIMIT %s",
                [after, self._tenant_id, self._tenant_id, _SUBJECTS_AT_ONCE],
            ).fetchall()
            yield from (subject_id for (subject_id,) in found)
            if len(found) < _SUBJECTS_AT_ONCE:
                break
            after = found[-1][0]
        yield from self._without_state(subject)

    def _without_state(self, subject: Subject) -> Iterator[int]:
        """Subjects of history that have no latest state, found by skipping along the key."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"""
                WITH RECURSIVE ids AS (
                    (SELECT {subject.key} AS id FROM {subject.hour_table} ORDER BY 1 LIMIT 1)
                    UNION ALL
                    SELECT (SELECT {subject.key} FROM {subject.hour_table}
                            WHERE {subject.key} > ids.id ORDER BY 1 LIMIT 1)
                    FROM ids WHERE ids.id IS NOT NULL)
                SELECT id FROM ids WHERE id IS NOT NULL
                  AND NOT EXISTS (SELECT 1 FROM {subject.latest_table} l
                                  WHERE l.{subject.key} = ids.id)
                  AND (%s::bigint IS NULL OR EXISTS (SELECT 1 FROM {subject.hour_table} h
                       WHERE h.{subject.key} = ids.id AND h.tenant_id = %s))
                """,  # noqa: S608
                [self._tenant_id, self._tenant_id],
            )
            yield from (subject_id for (subject_id,) in cursor.fetchall())

    def _latest(
        self, cursor: psycopg.Cursor[dict[str, Any]], subject: Subject, subject_id: int
    ) -> Iterator[Difference]:
        """Per column: the value with the greatest (time, reading_id), found from the new end."""
        where = f"{subject.noun} {subject_id}"
        stored = cursor.execute(
            f"SELECT * FROM {subject.latest_table} WHERE {subject.key} = %s",  # noqa: S608
            [subject_id],
        ).fetchone()
        newest = self._newest(cursor, subject, subject_id, "true")
        if stored is None or newest is None:
            kept = self._kept_since is None or stored is None or stored["time"] >= self._kept_since
            if (stored is None) != (newest is None) and kept:
                yield Difference("latest state", where, _brief(newest), _brief(stored))
            return
        for name in ("time", "reading_id", "received_at", "device_id", "tenant_id", "protocol",
                     "invalid"):  # fmt: skip
            if stored[name] != newest[name]:
                yield Difference(
                    "latest state", f"{where}, {name}", str(newest[name]), str(stored[name])
                )
        current = _version(newest)
        sent = self._ever_sent(cursor, subject, subject_id)
        for name in subject.merged:
            row = (
                self._newest(cursor, subject, subject_id, f"{name} IS NOT NULL")
                if sent[name]
                else None
            )
            if row is None and not self._complete(stored["older"].get(name)):
                continue
            expected = (row[name], _version(row)) if row else (None, current)
            version = stored["older"].get(name, current) if stored[name] is not None else current
            if (stored[name], version) != expected:
                yield Difference(
                    "latest state", f"{where}, {name}", str(expected), f"{stored[name]}, {version}"
                )
        yield from self._attributes(cursor, subject, subject_id, stored, current)

    def _complete(self, version: list[int] | None) -> bool:
        """Whether history still holds what a value of this age came from."""
        if version is None or self._kept_since is None:
            return True
        return _EPOCH + timedelta(microseconds=version[0]) >= self._kept_since

    def _newest(
        self,
        cursor: psycopg.Cursor[dict[str, Any]],
        subject: Subject,
        subject_id: int,
        condition: str,
    ) -> dict[str, Any] | None:
        return cursor.execute(
            f"SELECT * FROM {subject.history_table} WHERE {subject.key} = %s AND {condition}"  # noqa: S608
            " ORDER BY time DESC, reading_id DESC LIMIT 1",
            [subject_id],
        ).fetchone()

    def _ever_sent(
        self, cursor: psycopg.Cursor[dict[str, Any]], subject: Subject, subject_id: int
    ) -> dict[str, Any]:
        """Which columns hold any value at all: one scan, instead of one for each absent field."""
        flags = ", ".join(f"bool_or({name} IS NOT NULL) AS {name}" for name in subject.merged)
        cursor.execute(
            f"SELECT {flags} FROM {subject.history_table} WHERE {subject.key} = %s",  # noqa: S608
            [subject_id],
        )
        return cursor.fetchone() or {}

    def _attributes(
        self,
        cursor: psycopg.Cursor[dict[str, Any]],
        subject: Subject,
        subject_id: int,
        stored: dict[str, Any],
        current: list[int],
    ) -> Iterator[Difference]:
        found = cursor.execute(
            f"""
            SELECT DISTINCT ON (a.key) a.key, a.value, h.time, h.reading_id
            FROM {subject.history_table} h, jsonb_each(h.attributes) a
            WHERE h.{subject.key} = %s AND h.attributes IS NOT NULL
              AND (%s::timestamptz IS NULL OR h.time >= %s)
            ORDER BY a.key, h.time DESC, h.reading_id DESC
            """,  # noqa: S608
            [subject_id, self._since, self._since],
        ).fetchall()
        found.sort(key=lambda row: (row["time"], row["reading_id"], row["key"]))
        for row in found[-MAX_ATTRIBUTES:]:
            name = row["key"]
            attributes = stored["attributes"] or {}
            version = stored["older"].get(f"attributes.{name}", current)
            if (name not in attributes) or (attributes[name], version) != (
                row["value"],
                _version(row),
            ):
                yield Difference(
                    "latest state",
                    f"{subject.noun} {subject_id}, attribute {name}",
                    f"{row['value']!r}, {_version(row)}",
                    f"{attributes.get(name)!r}, {version}",
                )

    def _hours(
        self, cursor: psycopg.Cursor[dict[str, Any]], subject: Subject, subject_id: int
    ) -> Iterator[Difference]:
        columns = [aggregate.column.name for aggregate in aggregates(subject)]
        recomputed = ", ".join(f"{a.recompute} AS {a.column.name}" for a in aggregates(subject))
        for low, high in self._spans(cursor, subject, subject_id):
            bounds = [subject_id, low, high]
            expected = cursor.execute(
                f"SELECT date_trunc('hour', time, 'UTC') AS hour, {recomputed}"  # noqa: S608
                f" FROM {subject.history_table}"
                f" WHERE {subject.key} = %s AND time >= %s AND time < %s GROUP BY 1",
                bounds,
            ).fetchall()
            found = cursor.execute(
                f"SELECT hour, {', '.join(columns)} FROM {subject.hour_table}"  # noqa: S608
                f" WHERE {subject.key} = %s AND hour >= %s AND hour < %s",
                bounds,
            ).fetchall()
            by_hour = {row["hour"]: row for row in found}
            for row in expected:
                stored = by_hour.pop(row["hour"], None)
                where = f"{subject.noun} {subject_id}, {row['hour']:%Y-%m-%d %H}h"
                self.compared["hours"] += 1
                if stored is None:
                    yield Difference("roll-up", where, f"{row['readings']} readings", "no row")
                    continue
                for name in columns:
                    if stored[name] != row[name]:
                        yield Difference(
                            "roll-up", f"{where}, {name}", str(row[name]), str(stored[name])
                        )
            for hour, row in by_hour.items():
                where = f"{subject.noun} {subject_id}, {hour:%Y-%m-%d %H}h"
                yield Difference("roll-up", where, "no history", f"{row['readings']} readings")

    def _spans(
        self, cursor: psycopg.Cursor[dict[str, Any]], subject: Subject, subject_id: int
    ) -> Iterator[tuple[datetime, datetime]]:
        """Weeks with history or roll-ups, from `since` on."""
        bounds: list[datetime] = []
        for order in ("ASC", "DESC"):
            for table, time in ((subject.history_table, "time"), (subject.hour_table, "hour")):
                row = cursor.execute(
                    f"SELECT {time} AS t FROM {table} WHERE {subject.key} = %s"  # noqa: S608
                    f" ORDER BY {time} {order} LIMIT 1",
                    [subject_id],
                ).fetchone()
                bounds += [row["t"]] if row else []
        if not bounds:
            return
        low, end = min(bounds), max(bounds)
        for limit in (self._since, self._kept_since):
            low = max(low, limit) if limit else low
        low = low.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        while low <= end:
            yield low, low + _SPAN
            low += _SPAN

    def _devices(self) -> Iterator[Difference]:
        """Refusals counted against refusals kept, while none of them is too old to be kept."""
        after = -1
        while True:
            with self._connection.transaction(), self._cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                rows = cursor.execute(
                    """
                    SELECT h.device_id, h.refused, h.refusals, q.kept, q.codes
                    FROM (SELECT * FROM telemetry_device_health WHERE device_id > %s
                            AND (%s::bigint IS NULL OR tenant_id = %s)
                          ORDER BY device_id LIMIT %s) h,
                    LATERAL (SELECT coalesce(sum(n), 0)::bigint AS kept,
                                    coalesce(jsonb_object_agg(code, n), '{}') AS codes
                             FROM (SELECT code, count(*) AS n FROM telemetry_quarantined_frame
                                   WHERE device_id = h.device_id GROUP BY code) c) q
                    ORDER BY h.device_id
                    """,
                    [after, self._tenant_id, self._tenant_id, _SUBJECTS_AT_ONCE],
                ).fetchall()
            for row in rows:
                self.compared["devices"] += 1
                where = f"device {row['device_id']}"
                counted = sum(row["refusals"].values())
                if counted != row["refused"]:
                    yield Difference("refusals", where, str(counted), str(row["refused"]))
                if row["kept"] > row["refused"]:
                    yield Difference("quarantine", where, str(row["codes"]), str(row["refusals"]))
            if len(rows) < _SUBJECTS_AT_ONCE:
                return
            after = rows[-1]["device_id"]

    def _log(self, log: PartitionedLog, partition: int) -> Iterator[Difference]:
        """Entries in order and whole; the groups are those declared; pending ones exist."""
        where = f"{log.name}:{partition}"
        stream = log.keys(partition)[0]
        client = sync_client()
        start, before = "-", (0, 0)
        while True:
            entries: Any = client.xrange(stream, start, "+", count=_ENTRIES_AT_ONCE)
            for entry_id, values in entries:
                milliseconds, _, number = entry_id.decode().partition("-")
                position = (int(milliseconds), int(number))
                if position <= before:
                    yield Difference("log", where, f"after {before}", str(position))
                if set(values) != {b"b", b"n"}:
                    yield Difference(
                        "log", f"{where} {entry_id.decode()}", "b, n", str(set(values))
                    )
                before = position
                self.compared["entries"] += 1
            if len(entries) < _ENTRIES_AT_ONCE:
                break
            start = f"({entries[-1][0].decode()}"
        depth = log.depth(partition)
        if depth.entries == 0 and depth.bytes != 0:
            yield Difference("log", f"{where}, bytes", "0", str(depth.bytes))
        if log is STORED:
            declared = {route.name for route in routes.declared()}
            for group in set(log.groups(partition)) - declared:
                yield Difference("log", f"{where}, group {group}", "declared", "not declared")


def _version(row: dict[str, Any]) -> list[int]:
    return [(row["time"] - _EPOCH) // timedelta(microseconds=1), row["reading_id"]]


def _brief(row: dict[str, Any] | None) -> str:
    return "none" if row is None else f"{row['time']:%Y-%m-%d %H:%M:%S.%f}, {row['reading_id']}"
