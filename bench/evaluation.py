"""How far the alert engine is behind, and how long after its reading an alert stood open."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis

from bench.installation import Installation
from bench.measure import percentile

GROUP = "alerts"


def lag(client: redis.Redis) -> tuple[int, float]:
    """Entries of the stored log that the engine has not read, and the age in seconds of the
    oldest of them. What it has read and not yet acknowledged is evaluated: see its checkpoints."""
    entries, oldest_ms = 0, None
    for stream in client.scan_iter("*{stored:*}", _type="stream"):
        groups: Any = client.xinfo_groups(stream)
        for group in groups:
            if group["name"].decode() == GROUP:
                unread: Any = client.xrange(stream, b"(" + group["last-delivered-id"], count=1000)
                entries += group["lag"] if group["lag"] is not None else len(unread)
                if unread:
                    first_ms = int(unread[0][0].partition(b"-")[0])
                    oldest_ms = min(first_ms, oldest_ms or first_ms)
    return entries, 0.0 if oldest_ms is None else max(0.0, time.time() - oldest_ms / 1000)


@dataclass
class LagWatch:
    """Samples of the lag while a load runs."""

    client: redis.Redis
    entries: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def sample(self) -> None:
        entries, age = lag(self.client)
        self.entries.append(entries)
        self.seconds.append(age)

    def until_caught_up(self, patience_s: float = 120) -> float:
        """Seconds from now until nothing is unread."""
        start = time.monotonic()
        while lag(self.client)[0] and time.monotonic() - start < patience_s:
            time.sleep(0.05)
        return time.monotonic() - start

    def summary(self) -> dict[str, float]:
        return {
            "entries_max": max(self.entries),
            "p50_s": round(percentile(self.seconds, 50), 3),
            "max_s": round(max(self.seconds), 3),
        }


_DELAYS = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(t.xmin) - {since})::float8
FROM alerts_alerttransition t JOIN alerts_alert a ON a.id = t.alert_id
WHERE t.change = 'opened' AND a.rule_id = %s AND {since} IS NOT NULL
ORDER BY t.id
"""


def opening_delays(installation: Installation, rule_id: int) -> list[float]:
    """Seconds from the acceptance of the reading that opened an alert to the alert's commit."""
    with psycopg.connect(installation.postgres.url) as connection:
        return [
            delay
            for (delay,) in connection.execute(_DELAYS.format(since="t.received_at"), [rule_id])
        ]


def silence_delays(installation: Installation, rule_id: int) -> list[float]:
    """Seconds from the moment when a silence became due to the alert's commit."""
    with psycopg.connect(installation.postgres.url) as connection:
        return [
            delay for (delay,) in connection.execute(_DELAYS.format(since="a.opened_at"), [rule_id])
        ]


def summary_s(delays: list[float]) -> dict[str, float]:
    """p50, p99 and the worst, in seconds."""
    return {
        "p50_s": round(percentile(delays, 50), 3),
        "p99_s": round(percentile(delays, 99), 3),
        "max_s": round(max(delays, default=float("nan")), 3),
        "samples": len(delays),
    }
