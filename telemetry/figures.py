"""How the installation is doing, for its people: read where the work is done, on demand.

Rates are differences between two readings of counters that only grow; whoever asks brings
the earlier one along, so that nothing has to be kept. Nothing here grows with history.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Count, Max, Q, Sum
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from redis.exceptions import RedisError

from fleet.models import Device, Fleet
from telemetry import connected, routes
from telemetry.models import DeviceHealth, MeterHour, QuarantinedFrame, VehicleHour
from telemetry.rooms import group_of as group_of_fleet
from telemetry.streams import INGRESS, QUARANTINE, STORED, sync_client
from telemetry.writer import GROUP as WRITER

log = structlog.get_logger(__name__)

CHANNELS_AT_ONCE = 1000


@dataclass(frozen=True)
class Counters:
    """Totals that grow; of one organisation, or of all."""

    at: datetime
    readings: int
    refused: int

    def rates_since(self, before: Counters) -> tuple[float, float] | None:
        """Readings and refusals a second; None where no time has passed."""
        seconds = (self.at - before.at).total_seconds()
        if seconds < 0.5:
            return None
        readings, refused = self.readings - before.readings, self.refused - before.refused
        return max(readings / seconds, 0.0), max(refused / seconds, 0.0)


def counters(tenant_id: int | None, now: datetime) -> Counters:
    """Readings stored in the last hours by the roll-ups, refusals of the last day."""
    of = Q() if tenant_id is None else Q(tenant_id=tenant_id)
    # Two hours ahead and back: device clocks differ from ours; the bounds exclude chunks.
    near = Q(hour__gte=now - timedelta(hours=26), hour__lt=now + timedelta(hours=2))
    stored = 0
    for model in (VehicleHour, MeterHour):
        stored += model._default_manager.filter(of, near).aggregate(n=Sum("readings"))["n"] or 0
    refused = QuarantinedFrame.objects.filter(of, received_at__gte=now - timedelta(days=1)).count()
    return Counters(now, stored, refused)


@dataclass(frozen=True)
class Health:
    """Of the devices: how many there are in service, were heard lately, and how late they are."""

    devices: int
    reporting: int
    last_heard: datetime | None
    duplicates: int
    late: int
    refused: int


def health(tenant_id: int | None, now: datetime) -> Health:
    of = Q() if tenant_id is None else Q(tenant_id=tenant_id)
    found = DeviceHealth.objects.filter(of).aggregate(
        reporting=Count("pk", filter=Q(last_seen__gte=now - timedelta(minutes=5))),
        last=Max("last_seen"),
        duplicates=Sum("duplicates"),
        late=Sum("late"),
        refused=Sum("refused"),
    )
    devices = Device.unscoped.filter(of, archived_at__isnull=True).count()
    return Health(
        devices,
        found["reporting"],
        found["last"],
        found["duplicates"] or 0,
        found["late"] or 0,
        found["refused"] or 0,
    )


@dataclass(frozen=True)
class LogState:
    """One of the logs: what it holds, of how much, and how far behind its slowest reader is."""

    name: str
    reader: str
    entries: int
    bytes: int
    bound: int
    lag_s: float
    dropped: int

    @property
    def share(self) -> float:
        return 100 * self.bytes / self.bound if self.bound else 0


def logs(now: datetime) -> list[LogState]:
    """Every log by its readers. Raises RedisError."""
    found = [_log_state(INGRESS, WRITER, settings.TELEMETRY_INGRESS_MAX_BYTES, now)]
    found += [
        _log_state(STORED, route.name, settings.TELEMETRY_STORED_MAX_BYTES, now)
        for route in routes.declared()
    ]
    depth = QUARANTINE.depth(0)
    bound = settings.TELEMETRY_QUARANTINE_LOG_MAX_BYTES
    behind = _seconds(depth.oldest_ms, now) if depth.entries else 0.0
    found.append(
        LogState("quarantine", "writer", depth.entries, depth.bytes, bound, behind, depth.dropped)
    )
    return found


def _log_state(of: Any, group: str, bound: int, now: datetime) -> LogState:
    depths = [of.depth(partition) for partition in range(of.partitions)]
    lags = [of.lag(partition, group) for partition in range(of.partitions)]
    return LogState(
        of.name,
        group,
        sum(lag.entries for lag in lags),
        sum(depth.bytes for depth in depths),
        bound * of.partitions,
        max((_seconds(lag.oldest_ms, now) for lag in lags if lag.entries), default=0.0),
        sum(depth.dropped for depth in depths),
    )


def _seconds(since_ms: int | None, now: datetime) -> float:
    return max(0.0, now.timestamp() - since_ms / 1000) if since_ms else 0.0


@dataclass(frozen=True)
class Sockets:
    devices: int
    rooms: int
    """Live rooms that somebody looks at."""


def sockets(tenant_id: int | None) -> Sockets:
    """Connected devices, and rooms that have subscribers. Raises RedisError."""
    of = Q() if tenant_id is None else Q(tenant_id=tenant_id)
    devices = Device.unscoped.filter(of, archived_at__isnull=True).values_list("pk", flat=True)
    fleets = Fleet.unscoped.filter(of).values_list("tenant_id", "pk")
    return Sockets(
        connected.count(devices.iterator()),
        _subscribed([group_of_fleet(tenant, pk) for tenant, pk in fleets.iterator()]),
    )


def _subscribed(groups: Sequence[str]) -> int:
    """How many of these groups somebody listens to."""
    layer: Any = settings.CHANNEL_LAYERS["default"]
    prefix = layer["CONFIG"]["prefix"]
    names = [f"{prefix}__group__{group}" for group in groups]
    found = 0
    for at in range(0, len(names), CHANNELS_AT_ONCE):
        pairs: Any = sync_client().pubsub_numsub(*names[at : at + CHANNELS_AT_ONCE])
        found += sum(1 for _name, subscribers in pairs if subscribers)
    return found


@dataclass(frozen=True)
class Queue:
    """Tasks that wait for a worker of this queue."""

    name: str
    waiting: int


def celery_queues() -> tuple[list[Queue], int]:
    """What waits in each queue, and how many tasks workers have taken and not finished.

    Raises RedisError.
    """
    prefix = f"{settings.REDIS_PREFIX}:celery:"
    client: Any = sync_client()
    queues = [Queue(name, client.llen(f"{prefix}{name}")) for name in _queue_names()]
    return queues, client.hlen(f"{prefix}unacked")


def _queue_names() -> list[str]:
    """The usual queue, and those that scheduled tasks are sent to."""
    schedule: Iterable[dict[str, Any]] = settings.CELERY_BEAT_SCHEDULE.values()
    named = {task.get("options", {}).get("queue", "celery") for task in schedule}
    return sorted({"celery", *named})


@dataclass(frozen=True)
class Database:
    bytes: int
    connections: int
    active: int
    cache_share: float | None
    """Blocks found in memory, in per cent."""
    largest: list[tuple[str, int, int]]
    """Hypertable, bytes, chunks."""


def database() -> Database:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_database_size(datname), numbackends,"
            " (SELECT count(*) FROM pg_stat_activity a"
            "  WHERE a.datname = d.datname AND state = 'active'),"
            " 100.0 * blks_hit / nullif(blks_hit + blks_read, 0)"
            " FROM pg_stat_database d WHERE datname = current_database()"
        )
        size, backends, active, share = cursor.fetchone()
        cursor.execute(
            "SELECT hypertable_name, coalesce(hypertable_size(format('%I.%I',"
            " hypertable_schema, hypertable_name)::regclass), 0), num_chunks"
            " FROM timescaledb_information.hypertables ORDER BY 2 DESC"
        )
        largest = [(name, int(size_), int(chunks)) for name, size_, chunks in cursor.fetchall()]
    return Database(size, backends, active, float(share) if share is not None else None, largest)


@dataclass(frozen=True)
class Batches:
    """Of the writer, since its processes began."""

    count: int
    mean_s: float
    readings_each: float


def writer_batches() -> Batches | None:
    """From the shared counters of all processes; None where this one cannot see the writer's."""
    registry: CollectorRegistry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    values: dict[str, float] = {}
    for metric in registry.collect():
        for sample in metric.samples:
            if sample.name.startswith("outrider_writer_"):
                values[sample.name] = values.get(sample.name, 0) + sample.value
    count = int(values.get("outrider_writer_batch_seconds_count", 0))
    if not count:
        return None
    seconds = values.get("outrider_writer_batch_seconds_sum", 0)
    readings = values.get("outrider_writer_readings_total", 0)
    return Batches(count, seconds / count, readings / count)


@dataclass(frozen=True)
class Pipeline:
    """What Redis tells; none of it where Redis is away."""

    logs: list[LogState]
    sockets: Sockets
    queues: list[Queue]
    tasks_taken: int


def pipeline(tenant_id: int | None, now: datetime) -> Pipeline | None:
    try:
        return Pipeline(logs(now), sockets(tenant_id), *celery_queues())
    except (RedisError, OSError):
        # The page must come up above all when something is down.
        log.warning("pipeline_unknown", exc_info=True)
        return None
