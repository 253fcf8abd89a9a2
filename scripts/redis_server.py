"""A private Redis whose log of writes is on disk before it answers."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import subprocess
from functools import cached_property
from pathlib import Path

from scripts.places import (
    LONGEST_SOCKET_DIRECTORY,
    ServiceUnavailable,
    owned_directory,
    private_directory,
    service_account,
    write_owned,
)
from scripts.processes import (
    LOOPBACK,
    end,
    is_alive,
    kill_tree,
    last_lines,
    port_is_taken,
    spawn,
    wait_until,
)
from scripts.programs import RedisPrograms, find_redis


class RedisServer:
    """Redis on the loopback address, with a password, every write fsynced.

    `directory` holds data, log, configuration and password (or a stand-in below /var/tmp, as
    for PostgresServer).
    """

    def __init__(self, directory: Path, *, port: int) -> None:
        self.port = port
        self._wanted = directory
        self._account = service_account()
        self.directory = owned_directory(
            private_directory(directory, self._account) / "redis", self._account
        )
        self._configuration = self.directory / "redis.conf"
        self._log = self.directory / "redis.log"

    @property
    def url(self) -> str:
        """Address of database 0."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process id, None if it does not run."""
        try:
            pid = int((self.directory / "redis.pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if is_alive(pid, mark=str(self._configuration)) else None

    def is_running(self) -> bool:
        """Whether the process is there; it may still be loading its data."""
        return self.pid is not None

    def start(self) -> None:
        """Start it and return when it answers and has loaded its data."""
        if self.is_running():
            self._wait_until_it_answers(None)
            return
        # Just killed, it may take the kernel a moment to give its port back.
        if not wait_until(lambda: not port_is_taken(self.port), seconds=2):
            raise ServiceUnavailable(f"Port {self.port} is taken; Redis cannot use it.")
        self._write_configuration()
        process = spawn(
            [self._programs.server, self._configuration],
            log=self._log,
            directory=self.directory,
            account=self._account,
            environment={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        )
        write_owned(self.directory / "redis.pid", str(process.pid), self._account)
        self._wait_until_it_answers(process)

    def stop(self) -> None:
        """Stop it cleanly."""
        pid = self.pid
        if pid is None:
            return
        mark = str(self._configuration)
        if not end(pid, mark=mark, with_signal=signal.SIGTERM, seconds=60):
            raise ServiceUnavailable(f"Redis (process {pid}) does not stop.")

    def kill(self) -> None:
        """SIGKILL the server and a rewriting child, as a power failure would."""
        pid = self.pid
        if pid is not None:
            kill_tree(pid)

    def wipe(self) -> None:
        """Stop it and remove everything it ever wrote."""
        self.stop()
        shutil.rmtree(self.directory)
        for folder in {self.directory.parent, self._wanted}:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    @cached_property
    def _programs(self) -> RedisPrograms:
        return find_redis()

    @property
    def _password(self) -> str:
        path = self.directory / "redis.password"
        if not path.exists():
            write_owned(path, secrets.token_urlsafe(24), self._account)
        return path.read_text().strip()

    def _write_configuration(self) -> None:
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            "protected-mode yes",
            f"requirepass {self._password}",
            f'dir "{self.directory}"',
            "daemonize no",
            # The process is told from a stranger's with the same id by its arguments.
            "set-proc-title no",
            "databases 64",
            "appendonly yes",
            "appendfsync always",
            "no-appendfsync-on-rewrite no",
            'save ""',
            "maxmemory-policy noeviction",
            "tcp-backlog 128",
        ]
        socket_path = self.directory / "redis.sock"
        if len(str(self.directory).encode()) <= LONGEST_SOCKET_DIRECTORY:
            lines += [f'unixsocket "{socket_path}"', "unixsocketperm 700"]
        write_owned(self._configuration, "\n".join(lines) + "\n", self._account)

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes] | None) -> None:
        def answers_or_died() -> bool:
            return self._answers() or (process is not None and process.poll() is not None)

        if not wait_until(answers_or_died, seconds=300) or not self._answers():
            raise ServiceUnavailable(
                f"Redis did not start. The end of its log:\n{last_lines(self._log)}"
            )

    def _answers(self) -> bool:
        """Whether PING gets PONG; while it loads its data Redis answers -LOADING."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=5) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                reply = b""
                while reply.count(b"\r\n") < 2:
                    received = connection.recv(512)
                    if not received:
                        return False
                    reply += received
        except OSError:
            return False
        return reply == b"+OK\r\n+PONG\r\n"
