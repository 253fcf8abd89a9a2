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
from django.db import connections
from psycopg.conninfo import make_conninfo

from bench import product
from bench.product import ROOT as CHECKOUT
from bench.product import wait_for_port
from scripts.processes import free_port
from telemetry.streams import sync_client

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
    server = connections["default"].get_connection_params()
    where = {key: server[key] for key in ("host", "port", "user", "password") if server.get(key)}
    admin = make_conninfo(**where, dbname="postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    environment = product.environment(
        database_url="postgres://{user}:{password}@{host}:{port}/{name}".format(
            **{"host": "", "port": "", "user": "", "password": "", **where}, name=name
        ),
        redis_url=settings.REDIS_URL,
        prefix=prefix,
        LOG_LEVEL="WARNING",
    )
    platform = Platform(environment, make_conninfo(**where, dbname=name))
    try:
        migrated = platform.manage("migrate", "--no-input", "-v", "0")
        assert migrated.returncode == 0, migrated.stderr
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
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
