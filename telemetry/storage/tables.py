"""The SQL of one kind of subject: how its rows get into its three tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import psycopg
from psycopg.rows import dict_row

from telemetry.storage.binary import BinaryRows, Column, Type
from telemetry.storage.latest import Merge, State
from telemetry.storage.rollups import HourlyDelta, aggregates
from telemetry.storage.subjects import Subject

Row = tuple[Any, ...]


def copy(
    cursor: psycopg.Cursor[Any], table: str, encoder: BinaryRows, rows: Iterable[Sequence[Any]]
) -> None:
    with cursor.copy(f"COPY {table} ({encoder.names}) FROM STDIN (FORMAT BINARY)") as stream:
        stream.write(encoder.encode(rows))


class Tables:
    """History, latest state and roll-ups of vehicles, or of meters."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.merge = Merge(subject)
        self.delta = HourlyDelta(subject)
        self._history = BinaryRows(subject.history)
        self._latest_columns = (*subject.history, Column("older", Type.JSON))
        self._latest = BinaryRows(self._latest_columns)
        self._hours = BinaryRows(self.delta.columns)

    @property
    def staging(self) -> str:
        """Tables of the session that take what COPY cannot put in place itself."""
        return "".join(
            f"CREATE TEMP TABLE IF NOT EXISTS {stage} (LIKE {table}) ON COMMIT DELETE ROWS;"
            for stage, table in (
                (f"stage_{self.subject.noun}_reading", self.subject.history_table),
                (f"stage_{self.subject.noun}_latest", self.subject.latest_table),
                (f"stage_{self.subject.noun}_hour", self.subject.hour_table),
            )
        )

    def append(self, cursor: psycopg.Cursor[Any], rows: Sequence[Row]) -> None:
        """Add rows known to be new. Raises UniqueViolation where one is not."""
        copy(cursor, self.subject.history_table, self._history, rows)

    def append_unknown(
        self, cursor: psycopg.Cursor[Any], rows: Sequence[Row]
    ) -> set[tuple[int, int, int]]:
        """Add the rows that are not there yet; returns (id, time, reading_id) of those."""
        key, stage = self.subject.key, f"stage_{self.subject.noun}_reading"
        copy(cursor, stage, self._history, rows)
        cursor.execute(
            f"""
            INSERT INTO {self.subject.history_table} ({self._history.names})
            SELECT {self._history.names} FROM {stage} ORDER BY {key}, time, received_at
            ON CONFLICT DO NOTHING
            RETURNING {key}, (extract(epoch FROM time) * 1000000)::bigint, reading_id
            """  # noqa: S608
        )
        return set(cursor.fetchall())

    @cached_property
    def _load_sql(self) -> str:
        times = ", ".join(
            f"(extract(epoch FROM {name}) * 1000000)::bigint AS {name}"
            for name in ("time", "received_at")
        )
        others = ", ".join(
            column.name for column in self._latest_columns if column.type is not Type.TIMESTAMP
        )
        return (
            f"SELECT {times}, {others} FROM {self.subject.latest_table} "  # noqa: S608
            f"WHERE {self.subject.key} = ANY(%s)"
        )

    def load_states(self, cursor: psycopg.Cursor[Any], ids: Sequence[int]) -> dict[int, State]:
        """The stored latest states of these subjects; those without one are left out."""
        with cursor.connection.cursor(row_factory=dict_row) as reader:
            reader.execute(self._load_sql, [list(ids)])
            return {stored[self.subject.key]: self.merge.restored(stored) for stored in reader}

    def save_states(self, cursor: psycopg.Cursor[Any], states: dict[int, State]) -> None:
        """Write whole states; the caller owns their partition, so that nobody else does."""
        copy(
            cursor,
            f"stage_{self.subject.noun}_latest",
            self._latest,
            (self._latest_row(subject_id, states[subject_id]) for subject_id in sorted(states)),
        )
        cursor.execute(self._save_sql)

    def _latest_row(self, subject_id: int, state: State) -> Row:
        return (
            state.tenant_id,
            state.device_id,
            subject_id,
            state.version[0],
            state.received_at,
            state.version[1],
            state.protocol,
            *state.values,
            state.attributes or None,
            state.invalid,
            state.older_by_name(),
        )

    @cached_property
    def _save_sql(self) -> str:
        names = [column.name for column in self._latest_columns]
        changes = ", ".join(
            f"{name} = excluded.{name}" for name in names if name != self.subject.key
        )
        return (
            f"INSERT INTO {self.subject.latest_table} ({', '.join(names)}) "  # noqa: S608
            f"SELECT {', '.join(names)} FROM stage_{self.subject.noun}_latest "
            f"ORDER BY {self.subject.key} "
            f"ON CONFLICT ({self.subject.key}) DO UPDATE SET {changes}"
        )

    def add_to_hours(self, cursor: psycopg.Cursor[Any], rows: Iterable[Row]) -> None:
        """Add new rows of history to the roll-ups of their hours."""
        stage = f"stage_{self.subject.noun}_hour"
        copy(cursor, stage, self._hours, self.delta.of(rows))
        cursor.execute(self._hours_sql)

    @cached_property
    def _hours_sql(self) -> str:
        key = self.subject.key
        names = ", ".join(column.name for column in self.delta.columns)
        changes = ", ".join(
            f"{aggregate.column.name} = " + aggregate.combine.format(c=aggregate.column.name)
            for aggregate in aggregates(self.subject)
        )
        return (
            f"INSERT INTO {self.subject.hour_table} AS t ({names}) "  # noqa: S608
            f"SELECT {names} FROM stage_{self.subject.noun}_hour ORDER BY {key}, hour "
            f"ON CONFLICT ({key}, hour) DO UPDATE SET {changes}"
        )
