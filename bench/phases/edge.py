"""Readings through the front doors: device sockets, bulk HTTP, and on to a dashboard."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.dashboard import watch
from bench.driving import Load, run_load
from bench.installation import opened
from bench.measure import summary_ms
from bench.options import Options
from bench.say import say


def processes(options: Options) -> list[str]:
    """Those that a reading passes on its way to the stored log and the live stream."""
    return ["ingest", *writers(options), "live"]


def writers(options: Options) -> list[str]:
    return ["writer", *(f"writer-{number}" for number in range(2, options.writers + 1))]


def single_readings(folder: Path, options: Options) -> dict[str, Any]:
    return _over_socket(folder, options, per_frame=1, rates=[20_000, 25_000, 30_000])


def frames_of_50(folder: Path, options: Options) -> dict[str, Any]:
    return _over_socket(folder, options, per_frame=50, rates=[40_000, 50_000, 60_000])


def _over_socket(
    folder: Path, options: Options, *, per_frame: int, rates: Sequence[int]
) -> dict[str, Any]:
    """Steady rates for a minute each, rising until one is not held."""
    tried: list[dict[str, Any]] = []
    with opened(folder, processes(options)) as (installation, _):
        run_load(installation, Load(per_frame, rates[0] // 4, 5))  # warm up
        for rate in rates:
            figures = run_load(installation, Load(per_frame, rate, options.seconds(60)))
            figures["held"] = held(figures, rate)
            tried.append(figures)
            say(json.dumps(figures))
            if not figures["held"]:
                break
    best = max((each["target_rate"] for each in tried if each["held"]), default=0)
    return {"tried": tried, "held_per_s": best}


def held(figures: dict[str, Any], rate: int) -> bool:
    """All accepted and committed at the rate asked for, nothing piling up, nothing lost."""
    return bool(
        figures["accepted_per_s"] >= rate * 0.98
        and figures["committed_per_s"] >= rate * 0.97
        and not figures["log_grew"]
        and figures["lost"] == 0
    )


def http_bulk(folder: Path, options: Options) -> dict[str, Any]:
    with opened(folder, processes(options)) as (installation, _):
        run_load(installation, Load(0, 5000, 5))
        return run_load(installation, Load(0, 0, options.seconds(60)))


def device_to_dashboard(folder: Path, options: Options) -> dict[str, Any]:
    """One dashboard that watches the whole fleet while 5,000 readings/s come in."""
    seconds = options.seconds(30)
    with opened(folder, [*processes(options), "web"]) as (installation, credentials):
        run_load(installation, Load(1, 2000, 5))
        ages: list[float] = []

        def dashboard() -> None:
            url = f"ws://127.0.0.1:{installation.web_port}/telemetry"
            ages.extend(asyncio.run(watch(url, credentials["token"], seconds=seconds, warm_up=3)))

        watching = threading.Thread(target=dashboard)
        watching.start()
        load = run_load(installation, Load(1, 5000, seconds))
        watching.join()
        return {"latency_ms": summary_ms(ages), "load": load}
