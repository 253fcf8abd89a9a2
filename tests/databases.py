"""Databases for tests, each a copy of one that was migrated: a copy takes a third of a second,
the migrations of an empty one eight.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bench import product

_TURN = 6_204_118_377
"""Of an advisory lock: who makes the model holds it alone, who copies it shares it."""
_MODEL = "outrider_model_"


def server() -> dict[str, str]:
    """Where the tests' PostgreSQL is: host, port, user and password, as far as they are given."""
    given = connections["default"].get_connection_params()
    return {key: given[key] for key in ("host", "port", "user", "password") if given.get(key)}


def environment(name: str, *, prefix: str, **more: str) -> dict[str, str]:
    """What a process of the product is told to work on the database `name` of that server."""
    where = {"host": "", "port": "", "user": "", "password": "", **server()}
    return product.environment(
        database_url="postgres://{user}:{password}@{host}:{port}/{name}".format(**where, name=name),
        redis_url=settings.REDIS_URL,
        prefix=prefix,
        **more,
    )


@contextmanager
def migrated(name: str) -> Iterator[None]:
    """A database `name` with every table and nothing in them. One that a killed run left behind
    makes way; the new one goes at the end, whoever is still connected."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with _administration() as connection:
        connection.execute(drop)
        model = _made_model(connection)
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(model)
            )
        )
    try:
        yield
    finally:
        with _administration() as connection:
            connection.execute(drop)


def _administration() -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(make_conninfo("", **server(), dbname="postgres"), autocommit=True)


def _made_model(connection: psycopg.Connection[tuple[object, ...]]) -> str:
    """The name of the migrated database of this very code; `connection` shares it from here on,
    so that nobody drops it under its copy."""
    name = _MODEL + _fingerprint()
    connection.execute("SELECT pg_advisory_lock_shared(%s)", [_TURN])
    if not _exists(connection, name):
        connection.execute("SELECT pg_advisory_unlock_shared(%s)", [_TURN])
        connection.execute("SELECT pg_advisory_lock(%s)", [_TURN])
        if not _exists(connection, name):
            _make_model(connection, name)
        connection.execute("SELECT pg_advisory_lock_shared(%s)", [_TURN])
        connection.execute("SELECT pg_advisory_unlock(%s)", [_TURN])
    return name


def _make_model(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    """Those of other migrations go. It has another name until it is whole, and nobody may
    connect to it then: TimescaleDB's workers would, and who is connected bars the copying."""
    for (other,) in connection.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [_MODEL]
    ).fetchall():
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(str(other)))
        )
    unfinished = f"{_MODEL}unfinished"
    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(unfinished)))
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input", "-v", "0"],
        cwd=product.ROOT,
        env=environment(unfinished, prefix=f"test:{unfinished}"),
        check=True,
    )
    connection.execute(
        sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(sql.Identifier(unfinished))
    )
    connection.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
            sql.Identifier(unfinished), sql.Identifier(name)
        )
    )


def _exists(connection: psycopg.Connection[tuple[object, ...]], name: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    return found.fetchone() is not None


def _fingerprint() -> str:
    """Of whatever may decide what a migrated database holds: the rooms' code, the packages."""
    rooms = ("config", "tenants", "fleet", "telemetry", "alerts")
    files = [file for room in rooms for file in sorted((product.ROOT / room).rglob("*.py"))]
    digest = hashlib.sha256()
    for file in (*files, product.ROOT / "requirements.txt"):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
