"""From the ingress log into the database, and on into the stored log.

One turn: take what is there from the owned partitions, store it in one transaction, publish
what was new, acknowledge. A crash between any two steps leaves entries pending; the next
owner finds them, stores them again (which stores nothing twice) and publishes them whole.
Losing the database or Redis is met by beginning anew; only a reading that by itself cannot
be stored is set aside, into the quarantine.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Collection, Sequence
from threading import Event
from typing import Any

import msgspec
import psycopg
import structlog
from django.conf import settings
from django.db import Error as DjangoDatabaseError
from django.db import close_old_connections, connections
from redis.exceptions import RedisError

from telemetry import metrics, quarantine, routes
from telemetry.ownership import Ownership
from telemetry.records import Reading
from telemetry.storage.connection import connect
from telemetry.storage.store import Store
from telemetry.storage.unstorable import quarantine_entry, quarantine_reading
from telemetry.streams import (
    INGRESS,
    STORED,
    Append,
    Entry,
    append_many,
    decode_readings,
    encode_readings,
)

GROUP = "writer"
TRIES = 3
"""Attempts at a single reading before it counts as unstorable."""

UNSTORABLE = (
    psycopg.DataError,
    psycopg.IntegrityError,
    ValueError,
    TypeError,
    OverflowError,
    struct.error,
)
"""Faults of a value. Everything else is a fault of the machinery, and is retried for ever."""

_REBALANCE_S = 1.0
_ORPHANS_S = 5.0
_DRAIN_S = 0.25
_DRAIN_AGAIN_S = 5.0
_BLOCK_MS = 250
_MAX_ENTRIES = 512
_MAX_BACKOFF_S = 5.0

log = structlog.get_logger(__name__)

Batch = list[tuple[int, Entry]]
"""Entries with their partitions, in order."""


class Writer:
    """The loop. `partitions`: exactly these; or None: a fair share of all."""

    def __init__(self, *, partitions: Collection[int] | None = None) -> None:
        self._wanted = partitions

    def run(self, stop: Event, *, once: bool = False) -> None:
        """Write until `stop` is set; with `once`, until the owned partitions are empty."""
        backoff = 0.1
        while not stop.is_set():
            try:
                with connect("outrider writer") as connection:
                    session = Session(connection, self._wanted)
                    while not stop.is_set():
                        found = session.turn()
                        backoff = 0.1
                        if once and not found:
                            return
            except (psycopg.Error, RedisError, OSError) as error:
                metrics.WRITER_RESTARTS.inc()
                log.warning("writer_interrupted", error=str(error).strip(), retry_in_s=backoff)
                stop.wait(backoff)
                backoff = min(2 * backoff, _MAX_BACKOFF_S)


class Session:
    """The writer for as long as one connection holds. Any error of the machinery ends it."""

    def __init__(self, connection: psycopg.Connection[Any], wanted: Collection[int] | None) -> None:
        self._connection = connection
        self._store = Store(connection)
        self._ownership = Ownership(
            connection, "writer", partitions=settings.TELEMETRY_PARTITIONS, wanted=wanted
        )
        self._rebalanced = self._orphans_sought = self._turned = float("-inf")
        self._drain_after = float("-inf")
        self._readings_per_entry = 1.0

    def turn(self) -> bool:
        """One step of the loop; whether there was anything to do."""
        if time.monotonic() - self._rebalanced >= _REBALANCE_S:
            self._rebalance()
        owned = sorted(self._ownership.owned)
        if time.monotonic() - self._orphans_sought >= _ORPHANS_S:
            # A predecessor that was cut off may have taken entries after we took over.
            self._finish_pending(owned)
        self._linger()
        drained = 0 in owned and self._drain_quarantine()
        if not owned:
            time.sleep(_BLOCK_MS / 1000)
            return False
        taken = INGRESS.read_any(
            owned, GROUP, count=self._entries_to_ask_for(len(owned)), block_ms=_BLOCK_MS
        )
        batch = [(partition, entry) for partition, entries in taken.items() for entry in entries]
        if batch:
            self._write(batch, redelivered=False)
        return bool(batch) or drained

    def _drain_quarantine(self) -> bool:
        """Carry refusals to their table; whoever owns the first partition does it for all."""
        if time.monotonic() < self._drain_after:
            return False
        try:
            close_old_connections()
            drained = quarantine.drain()
        except (DjangoDatabaseError, RedisError) as error:
            # Refusals wait in their log; readings must not wait for them.
            log.error("quarantine_not_drained", error=str(error).strip())
            connections["default"].close()
            self._drain_after = time.monotonic() + _DRAIN_AGAIN_S
            return False
        self._drain_after = time.monotonic() + (0 if drained else _DRAIN_S)
        return drained > 0

    def _linger(self) -> None:
        """Pace the turns, so that a trickle does not become a transaction per reading."""
        pause = self._turned + settings.TELEMETRY_WRITER_LINGER_MS / 1000 - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        self._turned = time.monotonic()

    def _entries_to_ask_for(self, partitions: int) -> int:
        """From each partition, so that all together make about one batch."""
        wanted = settings.TELEMETRY_WRITER_BATCH / partitions / self._readings_per_entry
        return max(1, min(int(wanted), _MAX_ENTRIES))

    def _rebalance(self) -> None:
        gained, lost = self._ownership.rebalance()
        self._rebalanced = time.monotonic()
        if gained or lost:
            self._store.forget()
            log.info("writer_partitions", owned=sorted(self._ownership.owned))
        for partition in gained:
            INGRESS.ensure_group(partition, GROUP)
            routes.prepare(partition)
        self._finish_pending(sorted(gained))

    def _finish_pending(self, partitions: Sequence[int]) -> None:
        """Store and publish what was taken and never acknowledged."""
        for partition in partitions:
            while entries := INGRESS.read_pending(partition, GROUP, count=_MAX_ENTRIES):
                log.info("writer_redelivery", partition=partition, entries=len(entries))
                self._write([(partition, entry) for entry in entries], redelivered=True)
        self._orphans_sought = time.monotonic()

    def _write(self, batch: Batch, *, redelivered: bool) -> None:
        started = time.monotonic()
        readings: dict[int, list[Reading]] = {}
        for partition, entry in batch:
            readings.setdefault(partition, []).extend(self._decode(partition, entry))
        everything = [reading for some in readings.values() for reading in some]
        try:
            new = self._store.store(everything, redelivered=redelivered)
        except UNSTORABLE as error:
            log.warning("writer_batch_refused", error=str(error).strip(), readings=len(everything))
            new = self._store_what_can_be(everything)
        self._publish(readings, everything if redelivered else new, everything)
        taken: dict[int, list[Entry]] = {}
        for partition, entry in batch:
            taken.setdefault(partition, []).append(entry)
        INGRESS.ack_many(GROUP, taken)
        self._readings_per_entry = max(1.0, len(everything) / len(batch))
        metrics.WRITER_READINGS.labels("new").inc(len(new))
        metrics.WRITER_READINGS.labels("known").inc(len(everything) - len(new))
        metrics.WRITER_BATCH_SECONDS.observe(time.monotonic() - started)

    def _decode(self, partition: int, entry: Entry) -> list[Reading]:
        try:
            return decode_readings(entry.payload)
        except (msgspec.DecodeError, ValueError) as error:
            quarantine_entry(self._connection, partition, entry, str(error))
            return []

    def _publish(
        self,
        taken: dict[int, list[Reading]],
        published: Sequence[Reading],
        everything: Sequence[Reading],
    ) -> None:
        if len(published) == len(everything):
            chosen = taken
        else:
            wanted = set(map(id, published))
            chosen = {
                partition: [reading for reading in some if id(reading) in wanted]
                for partition, some in taken.items()
            }
        appends = [
            Append(STORED, partition, encode_readings(some), len(some))
            for partition, some in chosen.items()
            if some
        ]
        for outcome in append_many(appends) if appends else ():
            if isinstance(outcome, RedisError):
                raise outcome

    def _store_what_can_be(self, readings: Sequence[Reading]) -> list[Reading]:
        """Halve until the readings that cannot be stored stand alone; returns the new ones."""
        try:
            return self._store.store(readings, redelivered=True, trusting=False)
        except UNSTORABLE as error:
            if len(readings) == 1:
                return self._last_tries(readings[0], error)
        middle = len(readings) // 2
        return [
            *self._store_what_can_be(readings[:middle]),
            *self._store_what_can_be(readings[middle:]),
        ]

    def _last_tries(self, reading: Reading, error: Exception) -> list[Reading]:
        for _ in range(TRIES - 1):
            try:
                return self._store.store([reading], redelivered=True, trusting=False)
            except UNSTORABLE as again:
                error = again
        quarantine_reading(self._connection, reading, str(error).strip())
        metrics.WRITER_READINGS.labels("unstorable").inc()
        return []
