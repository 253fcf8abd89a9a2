"""Who reads which partition: exactly one process per purpose and partition.

A partition is owned by a session-level advisory lock of PostgreSQL. Where the owner also
writes through the session that holds the lock, it cannot commit what it no longer owns: with
the session both are gone. Every process of a purpose also holds a shared lock, so that all
see how many they are and take their fair share.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import Any

import psycopg

_PRESENCE = -1


class Ownership:
    """The partitions that one session owns for one purpose ("writer", "route live").

    `wanted`: exactly these partitions; or None: a fair share of all, as others come and go.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        purpose: str,
        *,
        partitions: int,
        wanted: Collection[int] | None = None,
    ) -> None:
        self._connection = connection
        self._class = zlib.crc32(f"outrider {purpose}".encode()) - 2**31
        self._partitions = partitions
        self._wanted = wanted
        self.owned: set[int] = set()
        connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", [self._class, _PRESENCE])

    def rebalance(self) -> tuple[set[int], set[int]]:
        """Take and give up partitions; returns those gained and those lost.

        Raises psycopg.OperationalError where the session, and with it every lock, is gone.
        """
        gained, lost = set(), set()
        share = self._share() if self._wanted is None else len(self._wanted)
        for partition in sorted(self.owned, reverse=True)[: max(0, len(self.owned) - share)]:
            self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", [self._class, partition])
            lost.add(partition)
        self.owned -= lost
        for partition in self._candidates() if not lost else ():
            if len(self.owned) >= share:
                break
            cursor = self._connection.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", [self._class, partition]
            )
            [got] = cursor.fetchone() or (False,)
            if got:
                gained.add(partition)
                self.owned.add(partition)
        return gained, lost

    def _candidates(self) -> list[int]:
        among = range(self._partitions) if self._wanted is None else self._wanted
        return [partition for partition in among if partition not in self.owned]

    def _share(self) -> int:
        """Partitions divided by processes; what is left over goes to the oldest sessions."""
        cursor = self._connection.execute(
            """
            SELECT count(*), count(*) FILTER (WHERE pid < pg_backend_pid())
            FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND objsubid = 2
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND classid = (%s::bigint & 4294967295)::oid
              AND objid = (%s::bigint & 4294967295)::oid
            """,
            [self._class, _PRESENCE],
        )
        processes, before = cursor.fetchone() or (1, 0)
        base, over = divmod(self._partitions, max(processes, 1))
        return base + (before < over)
