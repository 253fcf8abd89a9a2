"""Loads of the benchmark: a steady rate over the device socket or HTTP, and what it cost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import redis

from bench.installation import Installation
from bench.measure import Usage, usage_of
from bench.product import ROOT


@dataclass(frozen=True)
class Load:
    """`per_frame` readings in each frame; 0 is bulk HTTP. `rate` readings/s; 0 is flat out.
    `hot_every`: so many seconds apart each battery is too hot, for two seconds; 0: never."""

    per_frame: int
    rate: int
    seconds: int
    connections: int = 200
    hot_every: int = 0


def committed(installation: Installation) -> int:
    """Readings in history, by the writer's own exact roll-up (a count(*) would disturb)."""
    with psycopg.connect(installation.postgres.url) as connection:
        row = connection.execute("SELECT sum(readings) FROM telemetry_vehicle_hour").fetchone()
    return int(row[0] or 0) if row else 0


def log_bytes(installation: Installation) -> int:
    """Bytes that lie in the ingress log, all partitions."""
    client = redis.Redis.from_url(installation.redis.url)
    keys = list(client.scan_iter("*{ingress:*}:bytes"))
    return sum(int(value or 0) for value in client.mget(keys)) if keys else 0


def usage(installation: Installation, loader: int) -> dict[str, Usage]:
    """CPU and memory of each process, the load generator included."""
    pids = {name: process.pid for name, process in installation.processes.items()}
    servers = {"postgres": installation.postgres.pid, "redis": installation.redis.pid}
    known = pids | {name: pid for name, pid in servers.items() if pid} | {"load": loader}
    return {name: usage_of(pid) for name, pid in known.items()}


def run_load(
    installation: Installation, load: Load, *, sample: Callable[[], None] | None = None
) -> dict[str, Any]:
    """Drive `load`, then wait until all of it is committed; returns the figures. Calls `sample`
    every second meanwhile."""
    command = [
        *(sys.executable, "-m", "bench.load", "--credentials", str(installation.credentials)),
        *("--port", str(installation.ingest_port), "--seconds", str(load.seconds)),
        *("--per-frame", str(load.per_frame), "--rate", str(load.rate)),
        *("--connections", str(load.connections), "--hot-every", str(load.hot_every)),
    ]
    before = committed(installation)
    loader = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    start = time.monotonic()
    first = usage(installation, loader.pid)
    depths: list[tuple[float, int]] = []
    last = first
    while loader.poll() is None:
        time.sleep(1)
        depths.append((time.monotonic() - start, log_bytes(installation)))
        if sample is not None:
            sample()
        if loader.poll() is None:
            last = usage(installation, loader.pid)
    output = loader.communicate()[0]
    if loader.returncode != 0:
        raise RuntimeError(f"the load generator ended with {loader.returncode}: {output}")
    sent = json.loads(output.strip().splitlines()[-1])
    ended = time.monotonic()
    stored = settle(installation, before + sent["accepted"])
    drained = time.monotonic()
    accepted = sent["accepted"]
    return {
        "target_rate": load.rate or None,
        "seconds": round(sent["seconds"], 1),
        "accepted_per_s": round(accepted / sent["seconds"]),
        "committed_per_s": round((stored - before) / (sent["seconds"] + drained - ended)),
        "drain_s": round(drained - ended, 1),
        "lost": before + accepted - stored,
        "ack_ms": sent["ack_ms"],
        "log_bytes_peak": max((size for _, size in depths), default=0),
        "log_grew": grew(depths),
        "cpu_s_per_million": {
            name: round((last[name].cpu_s - first[name].cpu_s) / accepted * 1e6, 2)
            for name in last
            if accepted
        },
        "memory_mib": {name: round(used.memory_mib) for name, used in last.items()},
    }


def settle(installation: Installation, expected: int, seconds: float = 120) -> int:
    """Readings committed, once they are all there or nothing has moved for ten seconds."""
    stored, moved = committed(installation), time.monotonic()
    deadline = time.monotonic() + seconds
    while stored < expected and time.monotonic() < deadline and time.monotonic() - moved < 10:
        time.sleep(0.2)
        now = committed(installation)
        if now != stored:
            stored, moved = now, time.monotonic()
    return stored


def grew(depths: list[tuple[float, int]]) -> bool:
    """Whether the log was growing: its mean in the last third far above that of the middle one.

    A writer that keeps up leaves at most a batch or two in the log; one that falls behind
    adds its deficit every second.
    """
    third = len(depths) // 3
    if third < 3:
        return False
    middle = [size for _, size in depths[third : 2 * third]]
    end = [size for _, size in depths[-third:]]
    slack = 4 * 2**20
    return sum(end) / len(end) > sum(middle) / len(middle) * 1.25 + slack
