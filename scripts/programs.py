"""Finding PostgreSQL with TimescaleDB, and Redis: on the machine, else from Debian's packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.debian_packages import unpack_packages
from scripts.places import STATE, ServiceUnavailable, private_directory, service_account

OLDEST_POSTGRES = 14
PREFERRED_POSTGRES = 17
OLDEST_REDIS = 7

_PACKAGES = ("postgresql-17", "postgresql-17-timescaledb", "redis-server", "libc-bin")
# What only maintainer scripts, the just-in-time compiler or a PL would use.
_LEFT_OUT = (
    "adduser",
    "debconf",
    "init-system-helpers",
    "libllvm19",
    "locales",
    "netbase",
    "passwd",
    "perl",
    "perl-base",
    "postgresql-client-common",
    "postgresql-common",
    "procps",
    "ssl-cert",
    "sysvinit-utils",
    "tzdata",
    "ucf",
)
_RUNNABLE = ("usr/lib/postgresql/17/bin/*", "usr/bin/redis-*")


class PostgresPrograms(NamedTuple):
    """A PostgreSQL that can load TimescaleDB."""

    bin: Path
    version: int
    locales: Path | None


class RedisPrograms(NamedTuple):
    """A Redis server, 7 or newer."""

    server: Path
    version: str


def find_postgres(*, for_data_of: int | None = None) -> PostgresPrograms:
    """The PostgreSQL to use; data made by one major version is read by no other."""
    on_machine = sorted(
        _postgres_on_machine(),
        key=lambda found: (found.version == PREFERRED_POSTGRES, found.version),
        reverse=True,
    )
    for programs in on_machine:
        if for_data_of in (None, programs.version):
            return programs
    if for_data_of not in (None, PREFERRED_POSTGRES):
        raise ServiceUnavailable(
            f"The data in .outrider was made by PostgreSQL {for_data_of}, which is no longer on "
            "this machine. Install it again, or give the data up with 'make clean'."
        )
    root = _debian_root()
    return PostgresPrograms(
        root / "usr" / "lib" / "postgresql" / "17" / "bin", 17, root / "usr" / "lib" / "locale"
    )


def find_redis() -> RedisPrograms:
    """The Redis server to use."""
    on_machine = shutil.which("redis-server")
    if on_machine is not None:
        version = _redis_version(Path(on_machine))
        if version is not None and int(version.partition(".")[0]) >= OLDEST_REDIS:
            return RedisPrograms(Path(on_machine), version)
    server = _debian_root() / "usr" / "bin" / "redis-server"
    version = _redis_version(server)
    if version is None:
        raise ServiceUnavailable(f"{server} does not run on this machine.")
    return RedisPrograms(server, version)


def _debian_root() -> Path:
    directory = private_directory(STATE / "services", service_account())
    try:
        return unpack_packages(
            _PACKAGES, left_out=_LEFT_OUT, into=directory / "debian", programs=_RUNNABLE
        ).root
    except ServiceUnavailable as reason:
        raise ServiceUnavailable(
            f"{reason}\n\nTimescaleDB and Redis are neither on this machine nor could they be "
            "brought from Debian's packages. Either set DATABASE_URL "
            "(postgres://USER:PASSWORD@HOST:PORT/NAME, with TimescaleDB) and REDIS_URL "
            "(redis://:PASSWORD@HOST:PORT/0) to servers of your own, or run the whole product "
            "with Docker Compose: 'docker compose up'."
        ) from reason


def _postgres_on_machine() -> Iterator[PostgresPrograms]:
    for folder in _candidate_folders():
        if not all((folder / name).exists() for name in ("initdb", "postgres", "psql")):
            continue
        said = _output_of(folder / "postgres", "--version")
        version = re.search(r"(\d+)(?:\.|\w|$)", said)
        if version is None or int(version[1]) < OLDEST_POSTGRES:
            continue
        if _extension_folder(folder).joinpath("timescaledb.control").exists():
            yield PostgresPrograms(folder, int(version[1]), None)


def _candidate_folders() -> Iterator[Path]:
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for name in ("postgres", "pg_config"):
        found = shutil.which(name)
        if found is not None:
            yield Path(found).resolve().parent


def _extension_folder(folder: Path) -> Path:
    said = _output_of(folder / "pg_config", "--sharedir").strip()
    # Debian ships pg_config for the server's own folder only with the development package.
    share = Path(said) if said else Path("/usr/share/postgresql") / folder.parent.name
    return share / "extension"


def _redis_version(server: Path) -> str | None:
    found = re.search(r"v=(\d+\.\d+\.\d+)", _output_of(server, "--version"))
    return found[1] if found else None


def _output_of(program: Path, argument: str) -> str:
    if not os.access(program, os.X_OK):
        return ""
    done = subprocess.run([program, argument], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
