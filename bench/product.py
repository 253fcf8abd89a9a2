"""The product's processes: how each is started, over whichever database and Redis.

The benchmark and the tests start them as an operator does: the same commands, an environment.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROCESSES = ("ingest", "web", "writer", "writer-2", "live", "worker", "evaluator", "beat")
"""Each kind once, the writer twice. More of a kind are `writer-3` and so on."""

_NOT_PASSED_ON = ("PYTEST", "DJANGO", "OUTRIDER_PROCESS")


def environment(
    *, database_url: str, redis_url: str, prefix: str, **settings: str
) -> dict[str, str]:
    """What a process of the product is told; `settings` beside what is the same for all."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_PASSED_ON)}
    return own | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": prefix,
        "PYTHONPATH": str(ROOT),
        **settings,
    }


def command(name: str, *, ingest_port: int, web_port: int) -> list[str]:
    """The command line of a process, by the name of its kind with any number behind."""
    celery = ("-m", "celery", "-A", "config")
    commands: dict[str, tuple[str, ...]] = {
        "ingest": ("-m", "config.serve_ingest", "--host", "127.0.0.1", "--port", str(ingest_port)),
        "web": (
            *("-m", "daphne", "-b", "127.0.0.1", "-p", str(web_port), "-v", "0"),
            "config.asgi:application",
        ),
        "writer": ("manage.py", "run_writer"),
        "live": ("manage.py", "run_live"),
        "worker": (*celery, "worker", "-n", "worker@%h", "-c", "1", "-l", "ERROR"),
        "evaluator": (
            *(*celery, "worker", "-n", "evaluator@%h", "-Q", "evaluation"),
            *("-c", "1", "-l", "ERROR"),
        ),
        "beat": (*celery, "beat", "--pidfile=", "-l", "ERROR"),
    }
    return [sys.executable, *commands[name.partition("-")[0]]]


def wait_for_port(port: int, seconds: float = 60) -> None:
    """Until somebody listens there. Raises AssertionError if nobody does in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on port {port}")
