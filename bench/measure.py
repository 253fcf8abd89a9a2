"""What a run costs: CPU seconds and memory of every process of an installation."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    """CPU seconds since the process tree began; resident memory in MiB now."""

    cpu_s: float
    memory_mib: float


def usage_of(pid: int) -> Usage:
    """Of a process and all its descendants. Shared pages are counted once per process."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return Usage(0.0, 0.0)
    cpu = memory = 0.0
    for process in family:
        try:
            times = process.cpu_times()
            cpu += times.user + times.system
            # Unique set size: PostgreSQL's children share their buffers with the parent.
            memory += process.memory_full_info().uss / 2**20
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    if root.is_running():
        reaped = root.cpu_times()
        cpu += reaped.children_user + reaped.children_system
    return Usage(cpu, memory)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of `values` lie; NaN of nothing."""
    if not values:
        return float("nan")
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(sorted(values), n=1000, method="inclusive")[
        min(998, max(0, round(percent * 10) - 1))
    ]


def summary_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    return {
        "p50_ms": round(percentile(seconds, 50) * 1000, 2),
        "p99_ms": round(percentile(seconds, 99) * 1000, 2),
        "samples": len(seconds),
    }
