"""Recomputes from history what was kept beside it, and says where the two differ.

Fit for a live system: it reads one vehicle or meter at a time, and a bounded span of its
history at a time, each comparison inside one REPEATABLE READ snapshot; what the writer
commits in between belongs to the next snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from telemetry.storage.subjects import SUBJECTS, Subject
from telemetry.verification import devices, hours, latest, logs
from telemetry.verification.difference import AT_ONCE, Difference, Limits

__all__ = ["Difference", "Verification"]


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
        self._limits = Limits(since, kept_since)
        self.compared = {"vehicles": 0, "meters": 0, "hours": 0, "entries": 0, "devices": 0}

    def differences(self) -> Iterator[Difference]:
        """Every difference, as it is found."""
        for subject in SUBJECTS:
            for subject_id in self._subjects(subject):
                yield from self._subject(subject, subject_id)
                self.compared[f"{subject.noun}s"] += 1
        yield from devices.check(self._connection, self._tenant_id, self.compared)
        yield from logs.check(self.compared)

    def _subject(self, subject: Subject, subject_id: int) -> Iterator[Difference]:
        with (
            self._connection.transaction(),
            self._connection.cursor(row_factory=dict_row) as cursor,
        ):
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield from latest.check(cursor, subject, subject_id, self._limits)
            yield from hours.check(cursor, subject, subject_id, self._limits, self.compared)

    def _subjects(self, subject: Subject) -> Iterator[int]:
        """Everything with a latest state, and everything with history and none."""
        after = -1
        while True:
            found = self._connection.execute(
                f"SELECT {subject.key} FROM {subject.latest_table} WHERE {subject.key} > %s"  # noqa: S608
                f" AND (%s::bigint IS NULL OR tenant_id = %s) ORDER BY 1 LIMIT %s",
                [after, self._tenant_id, self._tenant_id, AT_ONCE],
            ).fetchall()
            yield from (subject_id for (subject_id,) in found)
            if len(found) < AT_ONCE:
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
