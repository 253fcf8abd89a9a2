"""A whole installation of its own: private PostgreSQL and Redis, every process there is.

Each part can be killed with SIGKILL at any moment and started again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from bench import product
from bench.product import PROCESSES, ROOT, wait_for_port
from scripts.processes import free_port
from scripts.services import PostgresServer, RedisServer


class Installation:
    """Processes by name; `kill(name)` and `start(name)` work on any of them."""

    SERVERS: ClassVar[tuple[str, ...]] = ("postgres", "redis")

    def __init__(
        self,
        folder: Path,
        processes: Sequence[str] = PROCESSES,
        *,
        track_commits: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`processes`: which of them to run. `track_commits`: have PostgreSQL note when each
        transaction committed. `settings`: of the product's processes."""
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # the server's account has to come through
        self.folder = folder
        self.wanted = processes
        self.track_commits = track_commits
        self.settings = settings or {}
        self.postgres = PostgresServer(folder / "postgres", port=free_port())
        self.redis = RedisServer(folder / "redis", port=free_port())
        self.ingest_port, self.web_port = free_port(), free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        return product.environment(
            database_url=self.postgres.url,
            redis_url=self.redis.url,
            prefix="private",
            **{
                "HTTPS_ONLY": "false",
                "API_RATE": "1000000/min",  # answers are measured, not refusals
                "STATICFILES_BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
                **self.settings,
            },
        )

    @property
    def credentials(self) -> Path:
        """Where `open` leaves what it returns, for the load generator."""
        return self.folder / "credentials.json"

    def open(self, vehicles: int) -> dict[str, Any]:
        """Start everything; returns the credentials of `vehicles` devices."""
        self.postgres.start()
        if self.track_commits:
            with psycopg.connect(self.postgres.superuser_url, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
            self.postgres.stop()
            self.postgres.start()
        self.redis.start()
        self.run("manage.py", "migrate", "-v", "0")
        self.credentials.write_text(self.run("-m", "bench.provision", str(vehicles)))
        for name in self.wanted:
            self.start(name)
        for name, port in (("ingest", self.ingest_port), ("web", self.web_port)):
            if name in self.wanted:
                wait_for_port(port)
        return dict(json.loads(self.credentials.read_text()))

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
                product.command(name, ingest_port=self.ingest_port, web_port=self.web_port),
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


@contextmanager
def opened(
    folder: Path,
    processes: Sequence[str],
    *,
    vehicles: int = 1000,
    track_commits: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Iterator[tuple[Installation, dict[str, Any]]]:
    """An installation and its credentials, for the length of a `with`."""
    installation = Installation(folder, processes, track_commits=track_commits, settings=settings)
    try:
        yield installation, installation.open(vehicles)
    finally:
        installation.close()
