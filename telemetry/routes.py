"""Readers of the stored log, as `TELEMETRY_ROUTES` declares them.

Every route is a consumer group of its own: it has its own position, falls behind and catches
up by itself, and hears of everything at least once. A handler is called with the readings of
one entry at a time, in the order of the log, and must be idempotent on their identity. It may
carry an attribute `on_gap`, a function of a partition: called where entries went from the log
before the route had seen them (the log is bounded), so that it can start from a fresh state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db import OperationalError, close_old_connections
from django.utils.module_loading import import_string
from redis.exceptions import RedisError

from telemetry import metrics
from telemetry.ownership import Ownership
from telemetry.records import MeterReading, Reading, VehicleReading
from telemetry.storage.connection import connect
from telemetry.streams import STORED, Entry, decode_readings, sync_client

Handler = Callable[[list[Reading]], object]

TRIES = 5
"""Calls of a handler that keeps failing on one entry before the route goes on without it."""
TEMPORARY = (RedisError, psycopg.OperationalError, OperationalError, OSError)
"""Faults that are no entry's: retried for ever."""

_REBALANCE_S = 1.0
_ORPHANS_S = 5.0
_BLOCK_MS = 250
_COUNT = 64
_MAX_BACKOFF_S = 5.0
_RECORDS = {"v": VehicleReading, "m": MeterReading}

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Route:
    """One line of `TELEMETRY_ROUTES`."""

    name: str
    kinds: frozenset[str]
    handler: str
    """Dotted path."""


def declared() -> list[Route]:
    """The routes of the settings."""
    lines: list[dict[str, Any]] = settings.TELEMETRY_ROUTES
    return [Route(line["name"], frozenset(line["kinds"]), line["handler"]) for line in lines]


def prepare(partition: int) -> None:
    """Give every declared route its place in a partition before anything is published to it."""
    for route in declared():
        STORED.ensure_group(partition, route.name)


def forget_undeclared() -> list[str]:
    """Remove the groups of routes that are no longer declared: they would hold entries back."""
    names = {route.name for route in declared()}
    gone = set()
    for partition in range(STORED.partitions):
        for group in STORED.groups(partition):
            if group not in names:
                STORED.forget_group(partition, group)
                gone.add(group)
    return sorted(gone)


def consume(name: str, stop: Event, *, once: bool = False) -> None:
    """Feed a route's handler until `stop` is set; with `once`, until there is nothing left.

    Any number of processes may call this for a route: each takes its share of partitions.
    Raises LookupError where no such route is declared.
    """
    route = next((route for route in declared() if route.name == name), None)
    if route is None:
        raise LookupError(f"TELEMETRY_ROUTES declares no route {name!r}")
    handler: Handler = import_string(route.handler)
    backoff = 0.1
    while not stop.is_set():
        try:
            with connect(f"outrider route {name}") as connection:
                session = _Session(connection, route, handler)
                while not stop.is_set():
                    close_old_connections()
                    found = session.turn()
                    backoff = 0.1
                    if once and not found:
                        return
        except TEMPORARY as error:
            log.warning("route_interrupted", route=name, error=str(error).strip())
            stop.wait(backoff)
            backoff = min(2 * backoff, _MAX_BACKOFF_S)


class _Session:
    """A route in one process for as long as one connection holds."""

    def __init__(self, connection: psycopg.Connection[Any], route: Route, handler: Handler) -> None:
        self._route = route
        self._handler = handler
        self._ownership = Ownership(connection, f"route {route.name}", partitions=STORED.partitions)
        self._rebalanced = self._orphans_sought = float("-inf")

    def turn(self) -> bool:
        """One step of the loop; whether there was anything to do."""
        now = time.monotonic()
        if now - self._rebalanced >= _REBALANCE_S:
            gained, _ = self._ownership.rebalance()
            self._rebalanced = now
            for partition in gained:
                STORED.ensure_group(partition, self._route.name)
            self._finish_pending(gained)
        owned = sorted(self._ownership.owned)
        if now - self._orphans_sought >= _ORPHANS_S:
            self._finish_pending(owned)
            self._orphans_sought = now
        if not owned:
            time.sleep(_BLOCK_MS / 1000)
            return False
        self._notice_gaps(owned)
        taken = STORED.read_any(owned, self._route.name, count=_COUNT, block_ms=_BLOCK_MS)
        if taken:
            self._handle(taken)
        return bool(taken)

    def _finish_pending(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            while entries := STORED.read_pending(partition, self._route.name, count=_COUNT):
                self._handle({partition: entries})

    def _handle(self, taken: dict[int, list[Entry]]) -> None:
        """One call of the handler for all that was taken; entry by entry only if that fails."""
        wanted = {
            entry: readings
            for entries in taken.values()
            for entry in entries
            if (readings := self._wanted_of(entry))
        }
        everything = [reading for readings in wanted.values() for reading in readings]
        if everything and not self._done_at_once(everything):
            for partition, entries in taken.items():
                for entry in entries:
                    if entry in wanted:
                        self._call(partition, entry, wanted[entry])
        metrics.ROUTE_READINGS.labels(self._route.name).inc(len(everything))
        STORED.ack_many(self._route.name, taken)

    def _wanted_of(self, entry: Entry) -> list[Reading]:
        return [
            reading
            for reading in decode_readings(entry.payload)
            if any(isinstance(reading, _RECORDS[kind]) for kind in self._route.kinds)
        ]

    def _done_at_once(self, readings: list[Reading]) -> bool:
        try:
            self._handler(readings)
        except TEMPORARY:
            raise
        except Exception:
            log.exception("route_batch_failed", route=self._route.name, readings=len(readings))
            return False
        return True

    def _call(self, partition: int, entry: Entry, readings: list[Reading]) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                self._handler(readings)
                return
            except TEMPORARY:
                raise
            except Exception:
                log.exception(
                    "route_handler_failed",
                    route=self._route.name,
                    partition=partition,
                    entry=entry.id,
                    attempt=attempt,
                )
                time.sleep(0.05 * attempt)
        # Left out for good: the route must not stand still for the sake of one entry.
        metrics.ROUTE_FAILURES.labels(self._route.name).inc()

    def _notice_gaps(self, partitions: list[int]) -> None:
        """Tell the handler where entries were dropped since this route last looked."""
        client = sync_client()
        dropped_keys = [STORED.keys(partition)[3] for partition in partitions]
        counts: Any = client.mget(dropped_keys)
        for partition, dropped_key, count in zip(partitions, dropped_keys, counts, strict=True):
            if not count:
                continue
            seen_key, dropped = f"{dropped_key}:seen", int(count)
            seen = int(client.hget(seen_key, self._route.name) or 0)
            if dropped > seen:
                log.error(
                    "route_gap", route=self._route.name, partition=partition, entries=dropped - seen
                )
                metrics.ROUTE_GAPS.labels(self._route.name).inc()
                on_gap = getattr(self._handler, "on_gap", None)
                if on_gap is not None:
                    on_gap(partition)
                client.hset(seen_key, self._route.name, str(dropped))
