"""A vehicle's history as arrays: what charts and summaries are computed from.

A page comes as one value by binary COPY: the bytes of all its numbers, eight to each, so that
tens of thousands of readings are one message and one `frombuffer`. Sent as rows they would be
as many messages, which takes longer than to read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, Final, cast

import numpy as np
import psycopg
from django.db import connection
from numpy.typing import NDArray

from telemetry import abreast
from telemetry.clock import from_us
from telemetry.fields import VEHICLE_FIELDS, Field, Kind
from telemetry.models import VehicleHour

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
"""Microseconds since 1970, UTC."""

PAGE: Final = 50_000
"""Rows taken in at once: about 10 MB."""
WHOLE: Final = timedelta(hours=6)
"""What is shorter is read at once."""
_EACH: Final = 4
"""Numbers in a line segment."""
_POSTGRES_EPOCH_US: Final = 946_684_800_000_000
_HEADER: Final = 19
"""Signature, flags and extension length of the binary format, without extensions."""

COLUMNS: dict[str, Field] = {
    name: field for name, field in VEHICLE_FIELDS.items() if field.kind is not Kind.TEXT
}
"""Fields that arrays have; true and false are 1 and 0, NaN is "not sent"."""
_FLAGS: Final = {"alarm_count": "alarms", "invalid_count": "invalid"}
_SENT_WHOLE: Final = (
    "timestamptz_send(time)",
    "timestamptz_send(received_at)",
    "int8send(reading_id)",
)


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

    def only(self, names: Iterable[str]) -> Rows:
        return Rows(self.time, self.received, {name: self.values[name] for name in names})

    def where(self, kept: NDArray[np.bool_]) -> Rows:
        return Rows(
            self.time[kept],
            self.received[kept],
            {name: column[kept] for name, column in self.values.items()},
        )

    def after(self, before: Rows) -> Rows:
        return _joined((before, self))


def pages(
    vehicle_id: int, *, start: datetime, end: datetime, reported: Iterable[str] = tuple(COLUMNS)
) -> Iterator[Rows]:
    """Readings with start <= time < end, in pages of `PAGE` and a little more; the last of less.

    Only the `reported` columns are read, which is what takes the time; others are NaN.
    """
    read = tuple(name for name in COLUMNS if name in set(reported))
    waiting: list[Rows] = []
    slices = _slices(vehicle_id, start, end)
    for rows in abreast.answers([partial(_slice, vehicle_id, read, *span) for span in slices]):
        waiting.append(rows)
        if sum(map(len, waiting)) >= PAGE:
            yield _joined(waiting)
            waiting = []
    if any(map(len, waiting)):
        yield _joined(waiting)


def _slices(vehicle_id: int, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The span, cut between hours into slices of about half a page each."""
    if end - start < WHOLE:
        return [(start, end)]
    hours = (
        VehicleHour.objects.filter(vehicle_id=vehicle_id, hour__gt=start, hour__lt=end)
        .order_by("hour")
        .values_list("hour", "readings")
    )
    cuts, readings = [start], 0
    for hour, count in hours:
        if readings >= PAGE // 2:
            cuts.append(hour)
            readings = 0
        readings += count
    return list(pairwise([*cuts, end]))


def _slice(vehicle_id: int, read: tuple[str, ...], start: datetime, end: datetime) -> Rows:
    parts = []
    after = (start - timedelta(microseconds=1), 2**31 - 1)
    while True:
        rows, last_id = _page(vehicle_id, after, end, read)
        parts.append(rows)
        if len(rows) < PAGE:
            return _joined(parts)
        after = (from_us(int(rows.time[-1])), last_id)


def _joined(parts: Sequence[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    return Rows(
        np.concatenate([rows.time for rows in parts]),
        np.concatenate([rows.received for rows in parts]),
        {name: np.concatenate([rows.values[name] for rows in parts]) for name in parts[0].values},
    )


def _page(
    vehicle_id: int, after: tuple[datetime, int], end: datetime, read: tuple[str, ...]
) -> tuple[Rows, int]:
    numbers = [_selected(COLUMNS[name]) for name in read]
    numbers += [f"coalesce(cardinality({name}), 0)" for name in _FLAGS.values()]
    words = [*_SENT_WHOLE, *_by_fours(numbers)]
    # Only the time is bounded by a constant from both sides: chunks are excluded by it.
    page = (
        "SELECT * FROM telemetry_vehicle_reading"  # noqa: S608
        " WHERE vehicle_id = %s AND time >= %s AND time < %s AND (time, reading_id) > (%s, %s)"
        f" ORDER BY time, reading_id LIMIT {PAGE}"
    )
    packed = f"string_agg({' || '.join(words)}, '')"
    sql = f"COPY (SELECT {packed} FROM ({page}) page) TO STDOUT (FORMAT BINARY)"  # noqa: S608
    with connection.cursor() as cursor:
        # psycopg's own: Django's wrapper for debugging hands no parameters on.
        own = cast("psycopg.Cursor[Any]", cursor.cursor)
        with own.copy(sql, [vehicle_id, after[0], end, *after]) as copied:
            data = b"".join(copied)
    return _decoded(data, read)


def _by_fours(numbers: list[str]) -> Iterator[str]:
    """Four numbers as the ends of a line segment: one call sends them. Four calls, one for every
    number, take longer than to read them from the table."""
    for four in _in_fours(numbers):
        a, b, c, d = [*four, *["0"] * (_EACH - len(four))]
        yield f"lseg_send(lseg(point({a}, {b}), point({c}, {d})))"


def _in_fours(of: Sequence[str]) -> list[Sequence[str]]:
    return [of[at : at + _EACH] for at in range(0, len(of), _EACH)]


def _selected(field: Field) -> str:
    if field.kind is Kind.BOOLEAN:
        return f"coalesce({field.name}::int::float8, 'NaN')"
    if field.kind is Kind.ENERGY:
        # The float nearest to the decimal, as a cast gives it, which goes by way of text.
        return f"coalesce(({field.name} * 1000000)::int8 / 1e6::float8, 'NaN')"
    return f"coalesce({field.name}::float8, 'NaN')"


def _decoded(data: bytes, read: tuple[str, ...]) -> tuple[Rows, int]:
    names = (*read, *_FLAGS)
    width = len(_SENT_WHOLE) + -(-len(names) // _EACH) * _EACH
    whole = np.frombuffer(_only_field(data), ">i8").reshape(-1, width)
    time, received, ids = whole[:, : len(_SENT_WHOLE)].T.astype(np.int64, order="C")
    floats = whole.view(">f8")[:, len(_SENT_WHOLE) :].T.astype(np.float64, order="C")
    values = dict.fromkeys(COLUMNS, np.full(len(time), np.nan))
    values |= dict(zip(names, floats, strict=False))
    rows = Rows(time + _POSTGRES_EPOCH_US, received + _POSTGRES_EPOCH_US, values)
    return rows, int(ids[-1]) if len(ids) else 0


def _only_field(data: bytes) -> memoryview:
    """Of the only row, with its length before it; a length of -1 is NULL: no readings."""
    at = _HEADER + 2
    length = int.from_bytes(data[at : at + 4], "big", signed=True)
    return memoryview(data)[at + 4 : at + 4 + max(length, 0)]
