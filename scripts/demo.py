"""The whole product on one machine: `make demo`. Runs until Ctrl-C or SIGTERM.

    python scripts/demo.py --vehicles 60 --port 8000
    python scripts/demo.py --stop

Pages and API answer on PORT, devices connect to PORT + 1. Everything is stopped at the end,
the embedded services too if this started them; the data stays.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import services
from scripts.places import CHECKOUT, STATE, ServiceUnavailable
from scripts.processes import LOOPBACK, end, is_alive, port_is_taken
from scripts.static_files import collect_static_files
from scripts.supervisor import Supervisor, kill_leftovers

LOCK = STATE / "demo.lock"
MAIL = STATE / "mail"
PROGRAMS = STATE / "venv" / "bin"
DJANGO = [str(PROGRAMS / "python"), "manage.py"]
CELERY = [str(PROGRAMS / "celery"), "-A", "config.celery:app"]


def commands(*, vehicles: int, port: int) -> dict[str, list[str]]:
    """The command line of every process, by name."""
    return {
        "web": [
            *(str(PROGRAMS / "daphne"), "config.asgi:application"),
            *("-b", LOOPBACK, "-p", str(port)),
        ],
        "ingest": [
            *(str(PROGRAMS / "python"), "-m", "config.serve_ingest"),
            *("--host", LOOPBACK, "--port", str(port + 1)),
        ],
        "writer": [*DJANGO, "run_writer"],
        "live": [*DJANGO, "run_live"],
        "worker": [*CELERY, "worker", "--concurrency", "2", "--loglevel", "INFO"],
        "evaluator": [
            *(*CELERY, "worker", "--queues", "evaluation", "--hostname", "evaluator@%h"),
            *("--concurrency", "1", "--loglevel", "INFO"),
        ],
        "beat": [*CELERY, "beat", "--pidfile=", "--loglevel", "INFO"],
        "simulator": [
            *(*DJANGO, "simulate", "--vehicles", str(vehicles)),
            *("--url", f"ws://{LOOPBACK}:{port + 1}/device"),
            *("--http-url", f"http://{LOOPBACK}:{port + 1}"),
        ],
    }


def past(port: int) -> list[str]:
    """The command that gives the fleet a past; it does nothing where there is one."""
    return [*DJANGO, "simulate_past", "--http-url", f"http://{LOOPBACK}:{port + 1}"]


async def run(*, vehicles: int, port: int, environment: Mapping[str, str], logins: str) -> None:
    """Run every process until a signal arrives."""
    supervisor = Supervisor(
        commands(vehicles=vehicles, port=port), environment=environment, say=_say
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.stop)
    welcome = asyncio.create_task(_welcome(supervisor, port, logins))
    await supervisor.run()
    welcome.cancel()


def main(arguments: list[str]) -> int:
    """Carry out the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--vehicles", type=int, default=60)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--stop", action="store_true", help="stop a demo of this checkout")
    options = parser.parse_args(arguments)
    if options.stop:
        return _stop()
    refused = _why_not(options.vehicles, options.port)
    if refused:
        _say(refused)
        return 1
    STATE.mkdir(exist_ok=True)
    with LOCK.open("a+") as lock:
        if not _lock(lock):
            _say("A demo of this checkout is running already; 'make stop' ends it.")
            return 1
        kill_leftovers()
        return _run_with_services(options.vehicles, options.port)


def _run_with_services(vehicles: int, port: int) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started: list[str] = []
    try:
        started = services.up()
        environment = _environment(port)
        _say("Preparing the database …")
        _manage("migrate", "--no-input", "-v", "0", environment=environment)
        collect_static_files(environment)
        logins = _manage("create_demo", "--vehicles", str(vehicles), environment=environment)
        _say("Starting …")
        asyncio.run(run(vehicles=vehicles, port=port, environment=environment, logins=logins))
    except KeyboardInterrupt:
        return 130
    except (ServiceUnavailable, subprocess.CalledProcessError) as reason:
        _say(str(reason))
        return 1
    finally:
        # An impatient second Ctrl-C must not leave half of it running.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        services.down(started)
        _say("Stopped; the data is kept.")
    return 0


def _why_not(vehicles: int, port: int) -> str:
    if vehicles < 1:
        return "VEHICLES must be 1 or more."
    if not 1024 <= port <= 65_534:
        return "PORT must be between 1024 and 65534 (devices use the port after it)."
    for number, use in ((port, "pages"), (port + 1, "devices")):
        if port_is_taken(number):
            return f"Port {number} (for {use}) is taken; try 'make demo PORT={port + 1000}'."
    return ""


def _environment(port: int) -> dict[str, str]:
    # What dead processes counted would be added up with what the living count.
    metrics = STATE / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    return {
        **os.environ,
        **services.addresses(),
        # Plain HTTP, which is for the loopback address only.
        "HTTPS_ONLY": "false",
        "DEBUG": "false",
        # Mail and webhooks link to what is printed as the address.
        "PUBLIC_URL": os.environ.get("PUBLIC_URL") or _address(port),
        # Nobody gets mail from a demonstration: it lies in files.
        "EMAIL_URL": os.environ.get("EMAIL_URL", MAIL.resolve().as_uri()),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }


def _manage(*arguments: str, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [*DJANGO, *arguments],
        cwd=CHECKOUT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def _address(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


async def _welcome(supervisor: Supervisor, port: int, logins: str) -> None:
    address = _address(port)
    overdue = asyncio.get_running_loop().call_later(
        60, _say, "No page is answered yet; .outrider/logs/web.log may tell why."
    )
    while not await asyncio.to_thread(_is_healthy, f"{address}/healthz"):
        await asyncio.sleep(0.3)
    overdue.cancel()
    print(
        f"\n{logins.strip()}\n\n"
        f"Outrider is at {address}   (devices: ws://{LOOPBACK}:{port + 1}/device)\n"
        "Mail about alerts is kept in .outrider/mail, logs are in .outrider/logs."
        " Ctrl-C stops everything.\n",
        flush=True,
    )
    # Only now: nothing that can wait delays the address.
    if await supervisor.run_job("past", past(port)):
        _say("The week before is not complete (.outrider/logs/past.log); the next start goes on.")


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  (our own address)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    lock.seek(0)
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()
    return True


def _stop() -> int:
    try:
        pid = int(LOCK.read_text())
    except (OSError, ValueError):
        pid = 0
    if pid and is_alive(pid, mark="demo.py"):
        _say("Stopping the demo …")
        end(pid, mark="demo.py", with_signal=signal.SIGTERM, seconds=60)
    left = kill_leftovers()
    if left:
        _say(f"Killed {left} processes that a demo had left behind.")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
