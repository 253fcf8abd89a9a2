"""How long the API's hot answers take over HTTP, with much and with little stored.

`latest`, a history page of 1,000 readings out of all there are, and the 24 h performance
answer, each asked of many vehicles by turns so that no cache answers for one.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from bench.measure import summary_ms

IN_A_ROW = 25
"""Questions to one installation before the other has its turn."""
WARM_UP = 50
"""The first ones open connections and fill plan caches."""


@dataclass
class Target:
    """Where to ask, as whom, about what. `end` is the time of the newest reading stored."""

    port: int
    token: str
    vehicles: list[str]
    end: datetime
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, path: str) -> tuple[float, dict[str, Any]]:
        """Seconds from the request to the last byte of the answer, and the answer."""
        start = time.perf_counter()
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
        answer = self.connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - start
        if answer.status != 200:
            raise RuntimeError(f"GET {path} answered {answer.status}: {body[:300]!r}")
        return took, json.loads(body)


def _latest(target: Target, vehicle: str) -> str:
    return f"/v1/telemetry/{vehicle}/latest"


def _history(target: Target, vehicle: str) -> str:
    begin = quote((target.end - timedelta(days=365)).isoformat())
    end = quote((target.end + timedelta(seconds=1)).isoformat())
    return f"/v1/telemetry/{vehicle}/history?limit=1000&from={begin}&to={end}"


def _performance(target: Target, vehicle: str) -> str:
    return f"/v1/analytics/performance/{vehicle}?at={quote(target.end.isoformat())}"


QUESTIONS: dict[str, tuple[Callable[[Target, str], str], Callable[[dict[str, Any]], bool]]] = {
    "latest": (_latest, lambda answer: len(answer["values"]) >= 10),
    "history_1000": (
        _history,
        lambda answer: len(answer["readings"]) == 1000 and answer["next"] is not None,
    ),
    "performance_24h": (
        _performance,
        lambda answer: None not in (answer["totalAcKwh"], answer["totalDcKwh"]),
    ),
}
"""How to ask, and whether an answer is the whole one: a short page would be a quick page."""


def compare(targets: dict[str, Target], *, requests: int) -> dict[str, dict[str, Any]]:
    """p50 and p99 of each kind of question to each target, asked by turns in changing order."""
    times: dict[str, dict[str, list[float]]] = {
        name: {question: [] for question in QUESTIONS} for name in targets
    }
    for question, (path, is_whole) in QUESTIONS.items():
        chosen = random.Random(question)
        for turn, first in enumerate(range(-WARM_UP, requests, IN_A_ROW)):
            asked = [chosen.randrange(10**6) for _ in range(IN_A_ROW)]
            for name in list(targets) if turn % 2 else reversed(targets):
                target = targets[name]
                for number in asked:
                    vehicle = target.vehicles[number % len(target.vehicles)]
                    took, answer = target.ask(path(target, vehicle))
                    if not is_whole(answer):
                        raise RuntimeError(f"{question} of {vehicle} is not whole: {answer}")
                    if first >= 0:
                        times[name][question].append(took)
    return {
        name: {question: summary_ms(took) for question, took in questions.items()}
        for name, questions in times.items()
    }
