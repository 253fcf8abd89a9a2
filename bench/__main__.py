"""`make bench`: what the product does on this machine, everything on it, the load included.

A private installation (own PostgreSQL, Redis and processes) is built in a scratch folder,
measured phase by phase, and taken down. Writes `docs/figures.json` and `docs/figures.md`.
`--quick` shortens every phase: to try the benchmark, not to publish from it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import queries, report
from bench.dashboard import watch
from bench.installation import ROOT, Installation
from bench.measure import summary_ms
from bench.phases import Load, run_load

VEHICLES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", choices=list(PHASES), help="just these phases")
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the large history")
    options = parser.parse_args()
    figures: dict[str, Any] = {"machine": machine(), "quick": options.quick}
    for name in options.only or PHASES:
        with tempfile.TemporaryDirectory(prefix="outrider-bench-") as folder:
            Path(folder).chmod(0o755)
            say(f"{name} …")
            figures[name] = PHASES[name](Path(folder), options)
            say(json.dumps(figures[name]))
    if options.only or options.quick:
        print(json.dumps(figures, indent=2))
        return
    docs = ROOT / "docs"
    (docs / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    (docs / "figures.md").write_text(report.as_markdown(figures))


def say(text: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit,
        "python": platform.python_version(),
    }


class Open:
    """An installation that is open for the length of a `with`."""

    def __init__(self, folder: Path, processes: list[str], vehicles: int = VEHICLES) -> None:
        self.installation = Installation(folder, processes)
        self.folder, self.vehicles = folder, vehicles

    def __enter__(self) -> tuple[Installation, Path, dict[str, Any]]:
        credentials = self.installation.open(self.vehicles)
        path = self.folder / "credentials.json"
        path.write_text(json.dumps(credentials))
        return self.installation, path, credentials

    def __exit__(self, *_: object) -> None:
        self.installation.close()


EDGE = ["ingest", "writer", "writer-2", "live"]


def storage_ceiling(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The writer's own transaction fed from memory, nothing else running."""
    rows = 200_000 if options.quick else 2_000_000
    with Open(folder, []) as (installation, _, _):
        until = datetime.now(UTC).replace(microsecond=0)
        done = fill(installation, rows=rows, skip=0, until=until)
        return done | {"readings_per_s": round(done["rows"] / done["seconds"])}


def fill(installation: Installation, *, rows: int, skip: int, until: datetime) -> dict[str, Any]:
    answer = installation.run(
        *("-m", "bench.fill", "--rows", str(rows), "--skip", str(skip)),
        *("--until", until.isoformat()),
        timeout=1800,
    )
    return dict(json.loads(answer))


def over_socket(per_frame: int, rates: list[int]) -> Any:
    def phase(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
        """Steady rates for a minute each, rising until one is not held."""
        seconds = 10 if options.quick else 60
        answer: dict[str, Any] = {"tried": []}
        with Open(folder, EDGE) as (installation, path, _):
            run_load(installation, path, Load(per_frame, rates[0] // 4, 5))  # warm up
            for rate in rates:
                figures = run_load(installation, path, Load(per_frame, rate, seconds))
                figures["held"] = held(figures, rate)
                answer["tried"].append(figures)
                say(json.dumps(figures))
                if not figures["held"]:
                    break
        answer["held_per_s"] = max(
            (tried["target_rate"] for tried in answer["tried"] if tried["held"]), default=0
        )
        return answer

    return phase


def held(figures: dict[str, Any], rate: int) -> bool:
    """All accepted and committed at the rate asked for, nothing piling up, nothing lost."""
    return bool(
        figures["accepted_per_s"] >= rate * 0.98
        and figures["committed_per_s"] >= rate * 0.97
        and not figures["log_grew"]
        and figures["lost"] == 0
    )


def http_bulk(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    with Open(folder, EDGE) as (installation, path, _):
        run_load(installation, path, Load(0, 5000, 5))
        return run_load(installation, path, Load(0, 0, 10 if options.quick else 60))


def device_to_dashboard(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One dashboard that watches the whole fleet while 5,000 readings/s come in."""
    seconds = 10 if options.quick else 30
    with Open(folder, [*EDGE, "web"]) as (installation, path, credentials):
        run_load(installation, path, Load(1, 2000, 5))
        ages: list[float] = []

        def dashboard() -> None:
            url = f"ws://127.0.0.1:{installation.web_port}/telemetry"
            ages.extend(asyncio.run(watch(url, credentials["token"], seconds=seconds, warm_up=3)))

        watching = threading.Thread(target=dashboard)
        watching.start()
        load = run_load(installation, path, Load(1, 5000, seconds))
        watching.join()
        return {"latency_ms": summary_ms(ages), "load": load}


def api(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The hot answers with 100,000 and with ten million rows stored."""
    few, many = 100_000, 200_000 if options.quick else options.rows
    until = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    with Open(folder, ["web"]) as (installation, _, credentials):
        target = queries.Target(
            "127.0.0.1",
            installation.web_port,
            credentials["token"],
            [entry["reference"] for entry in credentials["devices"]],
            until,
        )
        answer: dict[str, Any] = {}
        stored = 0
        for rows in (few, many):
            fill(installation, rows=rows, skip=stored, until=until)
            stored = rows
            answer[str(rows)] = queries.measure(target, requests=100 if options.quick else 500)
        return answer


PHASES: dict[str, Any] = {
    "storage_ceiling": storage_ceiling,
    "single_readings": over_socket(1, [20_000, 25_000, 30_000]),
    "frames_of_50": over_socket(50, [40_000, 50_000, 60_000]),
    "http_bulk": http_bulk,
    "device_to_dashboard": device_to_dashboard,
    "api": api,
}

if __name__ == "__main__":
    main()
