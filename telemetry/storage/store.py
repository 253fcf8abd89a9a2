"""The writer's transaction: history, latest state, roll-ups and device health, or nothing.

A reading newer than everything its subject has reported cannot be a duplicate: latest state
is the newest of history, and whoever stores is the only one to write the subject. Such
readings, nearly all there are, go straight into the hypertable; the others by way of a
staging table, where the primary key tells which are new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import psycopg

from telemetry.records import Reading
from telemetry.storage import health
from telemetry.storage.binary import BinaryRows
from telemetry.storage.days import mark_stale
from telemetry.storage.latest import State, Version
from telemetry.storage.subjects import METERS, VEHICLES
from telemetry.storage.tables import Row, Tables, copy

MAX_CACHED_STATES = 50_000
"""Latest states kept in memory between batches, per process."""
MAX_DAYS = 32
"""Days (chunks of a hypertable) that one transaction may touch: each takes locks of a table
of fixed size in PostgreSQL."""

_DAY = 86_400_000_000
_NEVER: Version = (-(2**63), 0)


def by_days(readings: Sequence[Reading]) -> Iterator[Sequence[Reading]]:
    """Cut readings so that each part touches at most MAX_DAYS days; usually there is one part."""
    days = {reading.time // _DAY for reading in readings}
    if len(days) <= MAX_DAYS:
        yield readings
        return
    ordered = sorted(days)
    for first in range(0, len(ordered), MAX_DAYS):
        part = set(ordered[first : first + MAX_DAYS])
        yield [reading for reading in readings if reading.time // _DAY in part]


class Store:
    """Stores batches through one connection. Nobody else may store for the same subjects."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._tables: dict[str, Tables] = {
            subject.kind: Tables(subject) for subject in (VEHICLES, METERS)
        }
        self._states: dict[str, dict[int, State]] = {"v": {}, "m": {}}
        self._health = BinaryRows(health.COLUMNS)
        with connection.transaction():
            for tables in self._tables.values():
                connection.execute(tables.staging)
            connection.execute(
                "CREATE TEMP TABLE IF NOT EXISTS stage_health (LIKE telemetry_device_health)"
                " ON COMMIT DELETE ROWS;"
                "ALTER TABLE stage_health ALTER refused DROP NOT NULL,"
                " ALTER refusals DROP NOT NULL, ALTER last_refusal_code DROP NOT NULL"
            )

    def forget(self) -> None:
        """Drop what is remembered: others may have stored since, or a transaction failed."""
        for states in self._states.values():
            states.clear()

    def store(
        self, readings: Sequence[Reading], *, redelivered: bool = False, trusting: bool = True
    ) -> list[Reading]:
        """Store a batch and return the readings that were new, in the order given.

        `redelivered`: an earlier attempt may have stored them, so that one found in place
        does not count as a duplicate of the device. Not `trusting`: look every reading up, even
        those that seem to be ahead. Raises what psycopg raises, and
        ValueError, TypeError, OverflowError or struct.error for a value no column can hold;
        then nothing of the batch is stored.
        """
        new: list[Reading] = []
        try:
            for part in by_days(readings):
                with self._connection.transaction(), self._connection.cursor() as cursor:
                    new += self._store(cursor, part, redelivered, trusting)
        except BaseException:
            self.forget()
            raise
        return new

    def _store(
        self,
        cursor: psycopg.Cursor[Any],
        readings: Sequence[Reading],
        redelivered: bool,
        trusting: bool,
    ) -> list[Reading]:
        devices = health.BatchHealth()
        new: set[int] = set()
        for kind, tables in self._tables.items():
            record = tables.subject.record
            places = [at for at, reading in enumerate(readings) if isinstance(reading, record)]
            if places:
                mine = [readings[at] for at in places]
                stored = self._store_kind(cursor, kind, mine, devices, redelivered, trusting)
                new.update(places[at] for at in stored)
        rows = devices.rows()
        if rows:
            copy(cursor, "stage_health", self._health, rows)
            cursor.execute(health.UPSERT)
        if len(new) == len(readings):
            return list(readings)
        return [reading for at, reading in enumerate(readings) if at in new]

    def _store_kind(
        self,
        cursor: psycopg.Cursor[Any],
        kind: str,
        readings: Sequence[Reading],
        devices: health.BatchHealth,
        redelivered: bool,
        trusting: bool,
    ) -> set[int]:
        """Store readings of one kind; returns the places of those that were new."""
        tables = self._tables[kind]
        key_at = tables.merge.key_at
        rows = [msgspec.structs.astuple(reading)[1:] for reading in readings]
        states = self._states_of(cursor, kind, {row[key_at] for row in rows})
        if trusting:
            ahead, unknown = self._split(rows, tables, states)
        else:
            ahead, unknown = [], list(range(len(rows)))
        fresh = [rows[at] for at in ahead]
        if ahead:
            fresh.sort(key=lambda row: row[key_at])
            tables.append(cursor, fresh)
        devices.count([readings[at] for at in ahead], outcome=health.ACCEPTED)
        new = set(ahead)
        if unknown:
            found = self._append_unknown(cursor, tables, rows, unknown)
            new |= found
            fresh += [rows[at] for at in found]
            devices.count([readings[at] for at in found], outcome=health.LATE)
            if not redelivered:
                repeated = [readings[at] for at in unknown if at not in found]
                devices.count(repeated, outcome=health.DUPLICATE)
        if fresh:
            tables.add_to_hours(cursor, fresh)
            mark_stale(cursor, tables.subject, fresh)
            tables.save_states(cursor, self._merge(tables, states, fresh))
        return new

    def _states_of(self, cursor: psycopg.Cursor[Any], kind: str, ids: set[int]) -> dict[int, State]:
        states = self._states[kind]
        if len(states) + len(ids) > MAX_CACHED_STATES:
            states.clear()
        missing = ids - states.keys()
        if missing:
            states.update(self._tables[kind].load_states(cursor, sorted(missing)))
        return states

    @staticmethod
    def _split(
        rows: Sequence[Row], tables: Tables, states: dict[int, State]
    ) -> tuple[list[int], list[int]]:
        """Places of the rows that are ahead of all before them, and of those that are not."""
        key_at, time_at, id_at = tables.merge.key_at, tables.merge.time_at, tables.merge.id_at
        newest: dict[int, Version] = {}
        ahead, unknown = [], []
        for at, row in enumerate(rows):
            subject_id, version = row[key_at], (row[time_at], row[id_at])
            held = newest.get(subject_id)
            if held is None:
                state = states.get(subject_id)
                held = _NEVER if state is None else state.version
            if version > held:
                newest[subject_id] = version
                ahead.append(at)
            else:
                unknown.append(at)
        return ahead, unknown

    @staticmethod
    def _append_unknown(
        cursor: psycopg.Cursor[Any], tables: Tables, rows: Sequence[Row], unknown: Sequence[int]
    ) -> set[int]:
        """Append the rows at these places that history lacks; returns the places."""
        merge = tables.merge
        first: dict[tuple[int, int, int], int] = {}
        for at in unknown:
            row = rows[at]
            first.setdefault((row[merge.key_at], row[merge.time_at], row[merge.id_at]), at)
        stored = tables.append_unknown(cursor, [rows[at] for at in first.values()])
        return {at for identity, at in first.items() if identity in stored}

    @staticmethod
    def _merge(tables: Tables, states: dict[int, State], rows: Sequence[Row]) -> dict[int, State]:
        merge = tables.merge
        changed: dict[int, State] = {}
        for row in _undominated(tables, rows):
            subject_id = row[merge.key_at]
            state = states.get(subject_id)
            if state is None:
                state = states[subject_id] = merge.first(row)
            else:
                state.take(row)
            changed[subject_id] = state
        return changed


def _undominated(tables: Tables, rows: Sequence[Row]) -> Iterable[Row]:
    """Rows that can matter to a latest state: of those of a subject that carry the same
    fields and attributes, the newest alone."""
    merge = tables.merge
    key_at, time_at, id_at = merge.key_at, merge.time_at, merge.id_at
    attributes_at = merge.attributes_at
    newest: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        attributes = row[attributes_at]
        carried = (row[key_at], tuple(map(type, row)), tuple(attributes) if attributes else None)
        held = newest.get(carried)
        if held is None or (row[time_at], row[id_at]) > (held[time_at], held[id_at]):
            newest[carried] = row
    return newest.values()
