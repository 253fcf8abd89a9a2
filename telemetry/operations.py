"""What whoever runs the installation asks of a process: alive, ready, and how it is doing."""

from __future__ import annotations

import hmac
import ipaddress
import os
import time
from collections.abc import Iterable

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from redis.exceptions import RedisError

from telemetry import routes
from telemetry.streams import INGRESS, QUARANTINE, STORED, sync_client
from telemetry.writer import GROUP as WRITER


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Touches nothing else: a database that is away is no reason to
    restart what would only find it away again."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 where the database and Redis answer, else 503; beside it the lag of the writer."""
    checks = {"database": _database_answers(), "redis": _redis_answers()}
    body: dict[str, object] = {"ready": all(checks.values()), **checks}
    if checks["redis"]:
        body["ingress_lag_s"] = max(
            _seconds_since(INGRESS.lag(partition, WRITER).oldest_ms)
            for partition in range(INGRESS.partitions)
        )
    return JsonResponse(body, status=200 if body["ready"] else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _redis_answers() -> bool:
    try:
        return bool(sync_client().ping())
    except RedisError:
        return False


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format. With METRICS_TOKEN, for its bearer; without, for this machine."""
    if not _may_read_metrics(request):
        raise Http404
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        counted = generate_latest(registry)
    else:
        counted = generate_latest(REGISTRY)
    logs = CollectorRegistry()
    logs.register(LogCollector())
    return HttpResponse(counted + generate_latest(logs), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    token: str = settings.METRICS_TOKEN
    if token:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False  # a proxy of this machine speaks for somebody else
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class LogCollector:
    """The logs as they are at the moment of the scrape, read from Redis."""

    def collect(self) -> Iterable[Metric]:
        entries = GaugeMetricFamily(
            "outrider_log_entries", "Entries a log holds", labels=["log", "partition"]
        )
        size = GaugeMetricFamily(
            "outrider_log_bytes",
            "Bytes a log holds, as its bound counts",
            labels=["log", "partition"],
        )
        dropped = GaugeMetricFamily(
            "outrider_log_dropped_entries",
            "Entries that went at the bound before every group had them",
            labels=["log", "partition"],
        )
        lag = GaugeMetricFamily(
            "outrider_log_lag_seconds",
            "Age of the oldest entry a group has yet to finish",
            labels=["log", "partition", "group"],
        )
        up = GaugeMetricFamily("outrider_redis_up", "Whether the logs could be read")
        try:
            for log in (INGRESS, STORED, QUARANTINE):
                for partition in range(log.partitions):
                    where = [log.name, str(partition)]
                    depth = log.depth(partition)
                    entries.add_metric(where, depth.entries)
                    size.add_metric(where, depth.bytes)
                    dropped.add_metric(where, depth.dropped)
            for partition in range(INGRESS.partitions):
                behind = INGRESS.lag(partition, WRITER).oldest_ms
                lag.add_metric(["ingress", str(partition), WRITER], _seconds_since(behind))
            for route in routes.declared():
                for partition in range(STORED.partitions):
                    behind = STORED.lag(partition, route.name).oldest_ms
                    lag.add_metric(["stored", str(partition), route.name], _seconds_since(behind))
            up.add_metric([], 1)
        except RedisError:
            up.add_metric([], 0)
        return [up, entries, size, dropped, lag]


def _seconds_since(milliseconds: int | None) -> float:
    return 0.0 if milliseconds is None else max(0.0, time.time() - milliseconds / 1000)
