"""Connections of the loops that write: autocommit, and gone soon after their process stalls."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connections

STALLED_AFTER_S = 60
"""PostgreSQL ends a session that says nothing for this long, and with it the locks it holds:
a process that was stopped or cut off must not keep its partitions."""


_NO_BOUND_ON_UNPACKING = """
SELECT set_config(name, '0', false) FROM pg_settings
WHERE name = 'timescaledb.max_tuples_decompressed_per_dml_transaction'
"""
"""A late reading, or retention, may meet a chunk that lies in columns, where TimescaleDB unpacks
a thousand rows to look for one. Beyond its bound a transaction fails, and would fail for ever."""


def connect(application_name: str) -> psycopg.Connection[Any]:
    """A psycopg connection to the default database, apart from Django's own."""
    wrapper: Any = connections["default"]
    parameters = wrapper.get_connection_params()
    for name in ("context", "cursor_factory", "prepare_threshold"):
        parameters.pop(name, None)
    connection = psycopg.connect(
        **{
            **parameters,
            "application_name": application_name,
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
        autocommit=True,
    )
    connection.execute("SET TIME ZONE 'UTC'")
    connection.execute(_NO_BOUND_ON_UNPACKING)
    for setting in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(f"SET {setting} = '{STALLED_AFTER_S}s'")
    return connection
