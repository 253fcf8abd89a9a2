"""How long the API's hot answers take over HTTP, with much and with little stored.

`latest`, a history page of 1,000 readings and the 24 h performance answer, each asked of
many vehicles by turns so that no cache answers for one.
"""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from bench.measure import summary_ms


@dataclass(frozen=True)
class Target:
    """Where to ask, as whom, about what. `end` is the time of the newest reading stored."""

    host: str
    port: int
    token: str
    vehicles: list[str]
    end: datetime


def measure(target: Target, *, requests: int) -> dict[str, dict[str, float]]:
    """p50 and p99 of each kind of question, one connection, one question at a time."""
    at = quote(target.end.isoformat())
    questions: dict[str, Callable[[str], str]] = {
        "latest": lambda v: f"/v1/telemetry/{v}/latest",
        "history_1000": lambda v: f"/v1/telemetry/{v}/history?limit=1000&to={at}",
        "performance_24h": lambda v: f"/v1/analytics/performance/{v}?at={at}",
    }
    return {name: ask(target, path, requests) for name, path in questions.items()}


def ask(target: Target, path: Callable[[str], str], requests: int) -> dict[str, float]:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=30)
    chosen = random.Random(1)
    seconds = []
    for number in range(requests + 20):
        url = path(chosen.choice(target.vehicles))
        start = time.perf_counter()
        connection.request("GET", url, headers={"Authorization": f"Bearer {target.token}"})
        answer = connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - start
        if answer.status != 200:
            raise RuntimeError(f"GET {url} answered {answer.status}: {body[:300]!r}")
        if number >= 20:  # the first ones open connections and fill plan caches
            seconds.append(took)
    connection.close()
    return summary_ms(seconds)
