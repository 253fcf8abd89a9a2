"""A whole installation of its own: private PostgreSQL and Redis, every process there is.

Each part can be killed with SIGKILL at any moment and started again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

from scripts.services import PostgresServer, RedisServer

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Installation:
    """Processes by name; `kill(name)` and `start(name)` work on any of them."""

    SERVERS: ClassVar[tuple[str, ...]] = ("postgres", "redis")

    def __init__(self, folder: Path, processes: list[str] | None = None) -> None:
        """`processes`: which of them to run; None: all."""
        self.folder = folder
        self.wanted = processes
        self.postgres = PostgresServer(folder / "postgres", port=free_port())
        self.redis = RedisServer(folder / "redis", port=free_port())
        self.ingest_port, self.web_port = free_port(), free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        env = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("PYTEST", "DJANGO", "OUTRIDER_PROCESS"))
        }
        return env | {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "REDIS_PREFIX": "private",
            "HTTPS_ONLY": "false",
            # Answers are measured, not refusals.
            "API_RATE": "1000000/min",
            "STATICFILES_BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
            "PYTHONPATH": str(ROOT),
        }

    @property
    def commands(self) -> dict[str, list[str]]:
        python = sys.executable
        return {
            "ingest": [
                *(python, "-m", "config.serve_ingest"),
                *("--host", "127.0.0.1", "--port", str(self.ingest_port)),
            ],
            "web": [
                *(python, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.web_port)),
                *("-v", "0"),
                "config.asgi:application",
            ],
            # Two, that share the partitions: while one waits for a disk, the other computes.
            "writer": [python, "manage.py", "run_writer"],
            "writer-2": [python, "manage.py", "run_writer"],
            "live": [python, "manage.py", "run_live"],
            "worker": [python, "-m", "celery", "-A", "config", "worker", "-c", "1", "-l", "ERROR"],
            "beat": [python, "-m", "celery", "-A", "config", "beat", "-l", "ERROR"],
        }

    def open(self, vehicles: int) -> dict[str, Any]:
        """Start everything; returns the credentials of `vehicles` devices."""
        self.postgres.start()
        self.redis.start()
        self.run("manage.py", "migrate", "-v", "0")
        credentials = json.loads(self.run("-m", "bench.provision", str(vehicles)))
        wanted = list(self.commands) if self.wanted is None else self.wanted
        for name in wanted:
            self.start(name)
        for name, port in (("ingest", self.ingest_port), ("web", self.web_port)):
            if name in wanted:
                self.wait_for_port(port)
        return dict(credentials)

    def run(self, *arguments: str, check: bool = True, timeout: float = 120) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

    def start(self, name: str) -> None:
        if name in self.SERVERS:
            getattr(self, name).start()
            return
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.commands[name],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """SIGKILL, children included: nothing gets the chance to tidy up."""
        if name in self.SERVERS:
            getattr(self, name).kill()
            return
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def died(self) -> list[str]:
        """Processes that ended by themselves: none may."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)
        with contextlib.suppress(Exception):
            self.redis.wipe()
        with contextlib.suppress(Exception):
            self.postgres.wipe()

    def wait_for_port(self, port: int, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.1)
        raise AssertionError(f"nothing listens on {port}")

    def post(self, path: str, body: object, token: str) -> int:
        """Status of a POST to the ingest process; 0 where it could not be reached."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ingest_port}{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code
        except OSError:
            return 0
