"""A hundred thousand vehicles watched for silence: how long after its due time an alert stands
open, while all others go on speaking; and the same when all of them are due at one moment.

What the writer would do is done here in its place, by SQL: each vehicle that speaks gets a
new time of arrival twice a minute.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench.evaluation import silence_delays, summary_s
from bench.installation import Installation, opened
from bench.measure import usage_of
from bench.options import Options
from bench.say import say

AFTER_S = 60
TURNS = 6
TURN_S = 5.0
"""A sixth of the vehicles every five seconds."""
SILENT = 1000

_SPEAK = """
UPDATE telemetry_vehicle_latest l SET received_at = now(), time = now()
WHERE vehicle_id %% %s = %s AND NOT EXISTS (
    SELECT 1 FROM bench_silent s WHERE s.vehicle_id = l.vehicle_id)
"""
_FALL_SILENT = """
INSERT INTO bench_silent SELECT vehicle_id FROM telemetry_vehicle_latest l
WHERE NOT EXISTS (SELECT 1 FROM bench_silent s WHERE s.vehicle_id = l.vehicle_id)
ORDER BY md5(vehicle_id::text) LIMIT %s RETURNING vehicle_id
"""


def hundred_thousand(folder: Path, options: Options) -> dict[str, Any]:
    vehicles = 20_000 if options.quick else 100_000
    with opened(folder, [], vehicles=1, track_commits=True) as (installation, _):
        rule = int(installation.run("-m", "bench.crowd", str(vehicles), str(AFTER_S)))
        with psycopg.connect(installation.postgres.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE bench_silent (vehicle_id bigint PRIMARY KEY)")
            with _speaking(installation.postgres.url):
                installation.start("worker")
                installation.start("beat")
                _until(lambda: _watched(connection) >= vehicles, "the vehicles are watched")
                time.sleep(AFTER_S)  # every due time has been looked at once
                steady = _measured(installation, rule, lambda: _fall_silent(connection))
                storm = _measured(installation, rule, lambda: _all_due(connection))
        if died := installation.died():
            raise RuntimeError(f"{died}: {installation.log(died[0])[-2000:]}")
    return {"vehicles": vehicles, "after_s": AFTER_S, "steady": steady, "all_at_once": storm}


@contextmanager
def _speaking(url: str) -> Iterator[None]:
    """Every vehicle that has not fallen silent is heard every half minute."""
    stop = threading.Event()

    def speak() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            turn = 0
            while not stop.wait(TURN_S):
                connection.execute(_SPEAK, [TURNS, turn % TURNS])
                turn += 1

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        yield
    finally:
        stop.set()
        speaker.join()


def _measured(installation: Installation, rule: int, begin: Callable[[], None]) -> dict[str, Any]:
    """Let vehicles fall silent, and wait until each of them has its alert."""
    before = len(silence_delays(installation, rule))
    worker = installation.processes["worker"].pid
    start, spent = time.monotonic(), usage_of(worker).cpu_s
    begin()
    _until(
        lambda: len(silence_delays(installation, rule)) >= before + SILENT,
        f"{SILENT} alerts are open",
    )
    took = time.monotonic() - start
    opening = silence_delays(installation, rule)[before:]
    say(f"{len(opening)} alerts within {took:.0f} s")
    return {
        "opening": summary_s(opening),
        "worker_cpu_share": round((usage_of(worker).cpu_s - spent) / took, 3),
    }


def _watched(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM alerts_silencewatch").fetchone()
    return int(row[0]) if row else 0


def _fall_silent(connection: psycopg.Connection[Any]) -> None:
    connection.execute(_FALL_SILENT, [SILENT])


def _all_due(connection: psycopg.Connection[Any]) -> None:
    """All vehicles are due now; a thousand of them have indeed said nothing."""
    with connection.transaction():
        silent = [pk for (pk,) in connection.execute(_FALL_SILENT, [SILENT])]
        connection.execute(
            "UPDATE telemetry_vehicle_latest SET received_at = now() - %s * interval '1 s'"
            " WHERE vehicle_id = ANY(%s)",
            [AFTER_S, silent],
        )
        connection.execute(
            "UPDATE alerts_silencewatch SET due_at = now(), heard_at = now() - %s * interval '1 s'"
            " WHERE NOT is_open",
            [AFTER_S],
        )


def _until(is_done: Callable[[], bool], what: str, patience_s: float = 240) -> None:
    deadline = time.monotonic() + patience_s
    while not is_done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"in vain waited for this: {what}")
        time.sleep(1)
