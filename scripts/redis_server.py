"""A private Redis whose log of writes is on disk before it answers."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
from functools import cached_property
from pathlib import Path

from scripts.places import LONGEST_SOCKET_DIRECTORY, write_owned
from scripts.private_server import PrivateServer
from scripts.processes import LOOPBACK, spawn
from scripts.programs import RedisPrograms, find_redis


class RedisServer(PrivateServer):
    """Redis with a password, every write fsynced."""

    product = "Redis"
    folder_name = "redis"
    stop_signals = ((signal.SIGTERM, 60),)

    def __init__(self, directory: Path, *, port: int) -> None:
        super().__init__(directory, port=port)
        self._configuration = self.directory / "redis.conf"

    @property
    def url(self) -> str:
        """Address of database 0."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    @property
    def _pid_file(self) -> Path:
        return self.directory / "redis.pid"

    @property
    def _mark(self) -> str:
        return str(self._configuration)

    def _launch(self) -> subprocess.Popen[bytes]:
        self._write_configuration()
        process = spawn(
            [self._programs.server, self._configuration],
            log=self._log,
            directory=self.directory,
            account=self._account,
            environment={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        )
        write_owned(self._pid_file, str(process.pid), self._account)
        return process

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
