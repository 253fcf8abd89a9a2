"""The platform as it runs, for tests that look at it from outside: a database of its own,
the ingest server and the writer as processes, management commands as a person gives them.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from django.conf import settings
from psycopg.conninfo import make_conninfo

from bench import product
from bench.product import ROOT as CHECKOUT
from bench.product import wait_for_port
from scripts.processes import free_port
from telemetry.streams import sync_client
from tests import databases

__all__ = ["CHECKOUT", "Platform", "free_port", "running_platform", "wait_for_port"]


@dataclass
class Platform:
    """What a test needs to know. `sql` reads what is committed."""

    environment: dict[str, str]
    conninfo: str
    port: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def device_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/device"

    def manage(self, *arguments: object, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def sql(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.conninfo) as connection:
            return connection.execute(query, parameters).fetchall()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=self.environment, stdout=subprocess.DEVNULL, stderr=None
        )
        self.processes.append(process)
        return process

    def start_ingest(self) -> None:
        self.port = self.port or free_port()
        self.start(*product.command("ingest", ingest_port=self.port, web_port=0))
        wait_for_port(self.port)

    def start_writer(self) -> None:
        self.start(*product.command("writer", ingest_port=self.port, web_port=0))


@contextmanager
def running_platform() -> Iterator[Platform]:
    """An empty platform with ingest and writer running; nothing of it is left behind."""
    name = f"outrider_test_{secrets.token_hex(4)}"
    prefix = f"test:{name}"
    with databases.migrated(name):
        conninfo = make_conninfo("", **databases.server(), dbname=name)
        environment = product.environment(
            database_url=databases.url(name),
            redis_url=settings.REDIS_URL,
            prefix=prefix,
            LOG_LEVEL="WARNING",
        )
        platform = Platform(environment, conninfo)
        try:
            platform.start_ingest()
            platform.start_writer()
            yield platform
        finally:
            for process in platform.processes:
                process.send_signal(signal.SIGTERM)
            for process in platform.processes:
                process.wait(timeout=30)
            for key in sync_client().scan_iter(f"{prefix}:*", count=1000):
                sync_client().delete(key)
