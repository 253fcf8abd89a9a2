"""A vehicle's history as arrays: what charts and summaries are computed from.

A page comes as one row by binary COPY: each column is the bytes of all its numbers, eight
each, so that a hundred thousand readings are one message and one `frombuffer` a column. Sent
as rows they would be a hundred thousand messages, which takes longer than to read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

import numpy as np
import psycopg
from django.db import connection
from numpy.typing import NDArray

from telemetry.clock import from_us
from telemetry.fields import VEHICLE_FIELDS, Field, Kind

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
"""Microseconds since 1970, UTC."""

PAGE: Final = 100_000
"""Rows held at once: about 20 MB."""
_POSTGRES_EPOCH_US: Final = 946_684_800_000_000
_HEADER: Final = 19
"""Signature, flags and extension length of the binary format, without extensions."""

COLUMNS: dict[str, Field] = {
    name: field for name, field in VEHICLE_FIELDS.items() if field.kind is not Kind.TEXT
}
"""Fields that arrays have; true and false are 1 and 0, NaN is "not sent"."""
_FLAGS: Final = ("alarm_count", "invalid_count")


@dataclass(frozen=True)
class Rows:
    """Readings in the order of (time, reading_id); every array has the same length."""

    time: Times
    received: Times
    values: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def last(self) -> Rows:
        """The last reading alone: what the next page continues from."""
        return Rows(
            self.time[-1:],
            self.received[-1:],
            {name: column[-1:] for name, column in self.values.items()},
        )

    def where(self, kept: NDArray[np.bool_]) -> Rows:
        return Rows(
            self.time[kept],
            self.received[kept],
            {name: column[kept] for name, column in self.values.items()},
        )

    def after(self, before: Rows) -> Rows:
        return Rows(
            np.concatenate((before.time, self.time)),
            np.concatenate((before.received, self.received)),
            {
                name: np.concatenate((before.values[name], column))
                for name, column in self.values.items()
            },
        )


def pages(
    vehicle_id: int, *, start: datetime, end: datetime, reported: Iterable[str] = tuple(COLUMNS)
) -> Iterator[Rows]:
    """Readings with start <= time < end, in pages of up to `PAGE`.

    Only the `reported` columns are read, which is what takes the time; others are NaN.
    """
    read = tuple(name for name in COLUMNS if name in set(reported))
    after = (start - timedelta(microseconds=1), 2**31 - 1)
    while True:
        rows, last_id = _page(vehicle_id, after, end, read)
        if len(rows):
            yield rows
        if len(rows) < PAGE:
            return
        after = (from_us(int(rows.time[-1])), last_id)


def _page(
    vehicle_id: int, after: tuple[datetime, int], end: datetime, read: tuple[str, ...]
) -> tuple[Rows, int]:
    numbers = "".join(f", {_selected(COLUMNS[name])} AS {name}" for name in read)
    # Only the time is bounded by a constant from both sides: chunks are excluded by it.
    page = (
        f"SELECT time, received_at, reading_id{numbers},"  # noqa: S608
        " coalesce(cardinality(alarms), 0)::float8 AS alarm_count,"
        " coalesce(cardinality(invalid), 0)::float8 AS invalid_count"
        " FROM telemetry_vehicle_reading"
        " WHERE vehicle_id = %s AND time >= %s AND time < %s AND (time, reading_id) > (%s, %s)"
        f" ORDER BY time, reading_id LIMIT {PAGE}"
    )
    columns = ["timestamptz_send(time)", "timestamptz_send(received_at)"]
    columns += [f"float8send({name})" for name in (*read, *_FLAGS)]
    packed = ", ".join(f"string_agg({column}, '')" for column in columns)
    last = "(array_agg(reading_id))[count(*)]::int8"
    sql = f"COPY (SELECT {packed}, {last} FROM ({page}) page) TO STDOUT (FORMAT BINARY)"  # noqa: S608
    with connection.cursor() as cursor:
        # psycopg's own: Django's wrapper for debugging hands no parameters on.
        own = cast("psycopg.Cursor[Any]", cursor.cursor)
        with own.copy(sql, [vehicle_id, after[0], end, *after]) as copied:
            data = b"".join(bytes(part) for part in copied)
    return _decoded(data, read)


def _selected(field: Field) -> str:
    if field.kind is Kind.BOOLEAN:
        return f"coalesce({field.name}::int::float8, 'NaN')"
    return f"coalesce({field.name}::float8, 'NaN')"


def _decoded(data: bytes, read: tuple[str, ...]) -> tuple[Rows, int]:
    time, received, *numbers, last = _fields_of_the_row(data)
    values = dict.fromkeys(COLUMNS, np.full(len(time) // 8, np.nan))
    values |= {
        name: np.frombuffer(column, ">f8").astype(np.float64)
        for name, column in zip((*read, *_FLAGS), numbers, strict=True)
    }
    rows = Rows(
        np.frombuffer(time, ">i8").astype(np.int64) + _POSTGRES_EPOCH_US,
        np.frombuffer(received, ">i8").astype(np.int64) + _POSTGRES_EPOCH_US,
        values,
    )
    return rows, int.from_bytes(last, "big", signed=True)


def _fields_of_the_row(data: bytes) -> Iterator[bytes]:
    """Each with its length before it; a length of -1 is NULL: there were no readings."""
    at = _HEADER + 2
    while at < len(data) - 2:
        length = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        yield data[at : at + max(length, 0)]
        at += max(length, 0)
