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
"""Of an advisory lock: the model is made, copied and dropped by one process at a time."""
_MODEL = "outrider_model_"


def server() -> dict[str, str]:
    """Where the tests' PostgreSQL is: host, port, user and password, as far as they are given."""
    given = connections["default"].get_connection_params()
    return {key: given[key] for key in ("host", "port", "user", "password") if given.get(key)}


def url(name: str = "") -> str:
    """Of that database, for a process of the product; else of the one this test works on."""
    where = {"host": "", "port": "", "user": "", "password": "", **server()}
    name = name or connections["default"].settings_dict["NAME"]
    return "postgres://{user}:{password}@{host}:{port}/{name}".format(**where, name=name)


@contextmanager
def migrated(name: str) -> Iterator[None]:
    """A database `name` with every table and nothing in them. One that a killed run left behind
    makes way; the new one goes at the end, whoever is still connected."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with _administration() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_TURN])
        connection.execute(drop)
        model = _MODEL + _fingerprint()
        if not _exists(connection, model):
            _make_model(connection, model)
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
        env=product.environment(
            database_url=url(unfinished),
            redis_url=settings.REDIS_URL,
            prefix=f"test:{unfinished}",
        ),
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
