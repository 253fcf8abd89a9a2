"""TimescaleDB and Redis for this checkout: `python scripts/services.py up|down|status|env|wipe`.

A DATABASE_URL or REDIS_URL in the environment wins, each on its own. Whatever is not given so
runs as a private service below `.outrider/`, on a port picked once, and survives this command.
`.outrider/services.env` holds the addresses for processes that find no such variable.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.local_secrets import ensure_secrets
from scripts.places import (
    STATE,
    ServiceUnavailable,
    remove_private_directory,
    write_owned,
)
from scripts.postgres_server import PostgresServer
from scripts.private_server import PrivateServer
from scripts.processes import free_port, port_is_taken
from scripts.redis_server import RedisServer

__all__ = ["PostgresServer", "RedisServer", "ServiceUnavailable", "addresses", "down", "up"]

HOME = STATE / "services"
REMEMBERED = STATE / "services.json"
ENVIRONMENT_FILE = STATE / "services.env"
VARIABLES = {"postgres": "DATABASE_URL", "redis": "REDIS_URL"}


def up() -> list[str]:
    """Start what is needed and not there yet; returns the names of what this call started."""
    with _one_at_a_time():
        ensure_secrets()
        started = []
        for name in _embedded():
            server = _server(name)
            if server.is_running():
                server.start()
                continue
            if port_is_taken(server.port):
                _say(f"Port {server.port} of {name} is taken by somebody else; picking another.")
                _remember(name, free_port())
                server = _server(name)
            _say(f"Starting {name} on 127.0.0.1:{server.port} …")
            server.start()
            started.append(name)
        _write_addresses({VARIABLES[name]: _server(name).url for name in _embedded()})
        return started


def down(names: list[str] | None = None) -> None:
    """Stop the embedded services, all of them or the named ones; their data stays."""
    with _one_at_a_time():
        for name in names if names is not None else list(_ports()):
            server = _server(name)
            if server.is_running():
                _say(f"Stopping {name} …")
                server.stop()


def wipe() -> None:
    """Stop the embedded services and remove their programs and their data."""
    down()
    with _one_at_a_time():
        remove_private_directory(HOME)
        for path in (REMEMBERED, ENVIRONMENT_FILE):
            path.unlink(missing_ok=True)


def addresses() -> dict[str, str]:
    """DATABASE_URL and REDIS_URL as a process of the product would see them."""
    known = {VARIABLES[name]: _server(name).url for name in _embedded() if name in _ports()}
    given = {name: os.environ[name] for name in VARIABLES.values() if os.environ.get(name)}
    return known | given


def status() -> bool:
    """Say what runs; whether everything that is needed does."""
    everything = True
    for name, variable in VARIABLES.items():
        if os.environ.get(variable):
            print(f"{name}: yours, by {variable}")
            continue
        server = _server(name) if name in _ports() else None
        if server is not None and server.is_running():
            print(f"{name}: running on 127.0.0.1:{server.port}, process {server.pid}")
        else:
            print(f"{name}: stopped")
            everything = False
    return everything


def _embedded() -> list[str]:
    return [name for name, variable in VARIABLES.items() if not os.environ.get(variable)]


def _server(name: str) -> PrivateServer:
    ports = _ports()
    if name not in ports:
        _remember(name, free_port())
        ports = _ports()
    if name == "postgres":
        return PostgresServer(HOME, port=ports[name])
    return RedisServer(HOME, port=ports[name])


def _ports() -> dict[str, int]:
    try:
        remembered = json.loads(REMEMBERED.read_text())
    except (OSError, ValueError):
        return {}
    return {name: int(port) for name, port in remembered.items() if name in VARIABLES}


def _remember(name: str, port: int) -> None:
    write_owned(REMEMBERED, json.dumps(_ports() | {name: port}) + "\n", None)


def _write_addresses(embedded: dict[str, str]) -> None:
    # A line for a service that the environment names today stays for the day it does not.
    try:
        before = ENVIRONMENT_FILE.read_text()
    except FileNotFoundError:
        before = ""
    lines = dict(line.split("=", 1) for line in before.splitlines()) | embedded
    after = "".join(f"{name}={url}\n" for name, url in lines.items())
    if after != before:
        write_owned(ENVIRONMENT_FILE, after, None)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    # Two shells, or a test run beside a demo, must not both create the same cluster.
    STATE.mkdir(exist_ok=True)
    with (STATE / "services.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Carry out one command; returns the exit status."""
    command = arguments[0] if len(arguments) == 1 else "help"
    try:
        if command == "up":
            began = time.monotonic()
            if up():
                _say(f"Services are up after {time.monotonic() - began:.1f} s.")
            status()
        elif command == "down":
            down()
        elif command == "wipe":
            wipe()
        elif command == "status":
            return 0 if status() else 1
        elif command == "env":
            for name, url in addresses().items():
                print(f"{name}={url}")
        else:
            print(__doc__)
            return 2
    except ServiceUnavailable as reason:
        _say(str(reason))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
