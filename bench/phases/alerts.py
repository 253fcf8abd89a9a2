"""Ten rules on every vehicle while 10,000 readings/s come in, by the engine as it runs in life:
Celery workers beside ingestion, started by the beat.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis

from bench.driving import Load, run_load
from bench.evaluation import LagWatch, opening_delays, summary_s
from bench.installation import opened
from bench.options import Options
from bench.phases.edge import processes

RATE = 10_000
VEHICLES = 1000
HOT_EVERY_S = 60
"""Each vehicle is too hot for two seconds of every minute: one reading in thirty."""


def ten_rules(folder: Path, options: Options) -> dict[str, Any]:
    running = [*processes(options), "worker", "evaluator", "beat"]
    with opened(folder, running, vehicles=VEHICLES, track_commits=True) as (installation, _):
        hot = int(installation.run("-m", "bench.rules"))
        watch = LagWatch(redis.Redis.from_url(installation.redis.url))
        run_load(installation, Load(1, RATE // 4, 10, connections=VEHICLES))  # warm up
        watch.until_caught_up()
        before = len(opening_delays(installation, hot))
        seconds = options.seconds(60)
        load = Load(1, RATE, seconds, connections=VEHICLES, hot_every=HOT_EVERY_S)
        figures = run_load(installation, load, sample=watch.sample)
        behind = watch.until_caught_up()
        died = installation.died()
        if died:
            raise RuntimeError(f"{died}: {installation.log(died[0])[-2000:]}")
        accepted = figures["accepted_per_s"] * figures["seconds"]
        return {
            "rules": 10,
            "vehicles": VEHICLES,
            "evaluated_per_s": round(accepted / (figures["seconds"] + behind)),
            "caught_up_after_s": round(behind, 2),
            "opening": summary_s(opening_delays(installation, hot)[before:]),
            "engine_lag": watch.summary(),
            "load": figures,
        }
