"""A private PostgreSQL with TimescaleDB: one folder, one port, durable."""

from __future__ import annotations

import secrets
import signal
import subprocess
from functools import cached_property
from pathlib import Path

from scripts.places import LONGEST_SOCKET_DIRECTORY, ServiceUnavailable, write_owned
from scripts.private_server import PrivateServer
from scripts.processes import LOOPBACK, exists, run_as, spawn
from scripts.programs import PostgresPrograms, find_postgres

SUPERUSER = "postgres"
ROLE = "outrider"
DATABASE = "outrider"

# An earlier start may have been cut off half-way. A password here is URL-safe base64.
CREATE_ROLE_AND_DATABASE = r"""
SELECT 'CREATE ROLE outrider LOGIN CREATEDB'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider') \gexec
ALTER ROLE outrider PASSWORD '{}';
SELECT 'CREATE DATABASE outrider OWNER outrider'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'outrider') \gexec
"""


class PostgresServer(PrivateServer):
    """PostgreSQL with TimescaleDB.

    The role `outrider` owns the database `outrider`, may create databases, and is no superuser.
    """

    product = "PostgreSQL"
    folder_name = "postgres"
    # Sessions are ended and everything is checkpointed; else at once, with recovery at the start.
    stop_signals = ((signal.SIGINT, 60), (signal.SIGQUIT, 10))

    def __init__(self, directory: Path, *, port: int, shared_buffers: str = "512MB") -> None:
        super().__init__(directory, port=port)
        self._shared_buffers = shared_buffers
        self._data = self.directory / "data"

    @property
    def url(self) -> str:
        """Address for the application's role."""
        return f"postgres://{ROLE}:{self._password(ROLE)}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def superuser_url(self) -> str:
        """Address for the role that may do everything, for tests that look behind the scenes."""
        password = self._password(SUPERUSER)
        return f"postgres://{SUPERUSER}:{password}@{LOOPBACK}:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start it and return when it answers, with the application's role and database."""
        was_running = self.is_running()
        super().start()
        if not was_running:
            self._create_role_and_database()

    @property
    def _pid_file(self) -> Path:
        return self._data / "postmaster.pid"

    @property
    def _mark(self) -> str:
        return str(self._data)

    def _launch(self) -> subprocess.Popen[bytes]:
        if not (self._data / "PG_VERSION").exists():
            self._create_cluster()
        self._forget_a_stranger()
        self._write_settings()
        return spawn(
            [self._programs.bin / "postgres", "-D", self._data],
            log=self._log,
            directory=self.directory,
            account=self._account,
            environment=self._environment,
        )

    @cached_property
    def _programs(self) -> PostgresPrograms:
        try:
            made_by = int((self._data / "PG_VERSION").read_text())
        except (OSError, ValueError):
            made_by = None
        return find_postgres(for_data_of=made_by)

    @property
    def _environment(self) -> dict[str, str]:
        environment = {"LC_ALL": "C.UTF-8", "PATH": f"{self._programs.bin}:/usr/bin:/bin"}
        if self._programs.locales is not None:
            environment["LOCPATH"] = str(self._programs.locales)
        return environment

    def _password(self, role: str) -> str:
        return (self.directory / f"{role}.password").read_text().strip()

    def _create_cluster(self) -> None:
        for role in (SUPERUSER, ROLE):
            if not (self.directory / f"{role}.password").exists():
                path = self.directory / f"{role}.password"
                write_owned(path, secrets.token_urlsafe(24), self._account)
        done = run_as(
            [
                *(self._programs.bin / "initdb", "-D", self._data, "-U", SUPERUSER),
                *("--pwfile", self.directory / f"{SUPERUSER}.password"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"),
                *("--no-instructions", "--data-checksums"),
            ],
            account=self._account,
            environment=self._environment,
        )
        if done.returncode != 0:
            raise ServiceUnavailable(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _forget_a_stranger(self) -> None:
        # After a reboot the process id in a file left behind may be somebody else's by now, and
        # PostgreSQL would refuse to start beside it. A dead one it clears away itself.
        pid_file = self._pid_file
        if pid_file.exists() and exists(int(pid_file.read_text().partition("\n")[0])):
            pid_file.unlink()

    def _write_settings(self) -> None:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": self._socket_directory(),
            "max_connections": "200",
            "shared_preload_libraries": "timescaledb",
            "timescaledb.telemetry_level": "off",
            # TimescaleDB wants a scheduler for each database, and tests make many.
            "timescaledb.max_background_workers": "32",
            "max_worker_processes": "56",
            "shared_buffers": self._shared_buffers,
            "max_wal_size": "4GB",
            "checkpoint_timeout": "15min",
            "random_page_cost": "1.1",
            "jit": "off",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "lc_messages": "C",
            "log_line_prefix": "%m [%p] %d ",
        }
        if self._accepts("wal_compression=lz4"):
            settings["wal_compression"] = "lz4"
        text = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        write_owned(self._data / "postgresql.conf", text, self._account)

    def _accepts(self, setting: str) -> bool:
        tried = run_as(
            [
                *(self._programs.bin / "postgres", "-D", self._data),
                *("-c", setting, "-C", setting.partition("=")[0]),
            ],
            account=self._account,
            environment=self._environment,
        )
        return tried.returncode == 0

    def _socket_directory(self) -> str:
        path = str(self.directory)
        return path if len(path.encode()) <= LONGEST_SOCKET_DIRECTORY else ""

    def _answers(self) -> bool:
        asked = run_as(
            [self._programs.bin / "pg_isready", "-q", "-h", LOOPBACK, "-p", str(self.port)],
            account=self._account,
            environment=self._environment,
        )
        return asked.returncode == 0

    def _create_role_and_database(self) -> None:
        done = self.directory / "database-created"
        if done.exists():
            return
        self._psql("postgres", CREATE_ROLE_AND_DATABASE.format(self._password(ROLE)))
        self._psql(DATABASE, "CREATE EXTENSION IF NOT EXISTS timescaledb;\n")
        write_owned(done, "", self._account)

    def _psql(self, database: str, text: str) -> None:
        done = run_as(
            [
                *(self._programs.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1"),
                *("-h", LOOPBACK, "-p", str(self.port), "-U", SUPERUSER, "-d", database),
            ],
            account=self._account,
            environment={**self._environment, "PGPASSWORD": self._password(SUPERUSER)},
            text=text,
        )
        if done.returncode != 0:
            raise ServiceUnavailable(f"psql failed:\n{done.stderr}")
