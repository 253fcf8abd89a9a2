"""A vehicle's history as arrays: what charts and summaries are computed from.

A page comes as one row by binary COPY, whose fields are the bytes of a column or of four, eight
to each number, so that tens of thousands of readings are one message and a `frombuffer` each.
Sent as rows they would be as many messages, which takes longer than to read them.
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

SLICE: Final = 25_000
"""Readings taken in at once, about: some 3 MB."""
PAGE: Final = 50_000
"""Readings that a query brings at most, however many fall into an hour."""
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
_REMARKS: Final = {"alarms": 1, "invalid": 2}
"""Lists of which only matters whether they have entries; one number says it of both."""
_REMARKED: Final = " + ".join(
    f"CASE WHEN cardinality({name}) > 0 THEN {bit} ELSE 0 END" for name, bit in _REMARKS.items()
)
_SENT_WHOLE: Final = ("timestamptz_send(time)", "timestamptz_send(received_at)")


@dataclass(frozen=True)
class Rows:
    """Readings in the order of (time, reading_id); every array has the same length.

    `values` has the fields by name, and as 1 or 0 whether there were `alarms` or `invalid` fields.
    """

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
    """Readings with start <= time < end, in pages of `SLICE` and a little more; the last of less.

    Only the `reported` columns are read, which is what takes the time; others are NaN.
    """
    read = tuple(name for name in COLUMNS if name in set(reported))
    slices = _slices(vehicle_id, start, end)
    for rows in abreast.answers([partial(_slice, vehicle_id, read, *span) for span in slices]):
        if len(rows):
            yield rows


def _slices(vehicle_id: int, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The span, cut between hours into parts of `SLICE` readings and a little more."""
    if end - start < WHOLE:
        return [(start, end)]
    hours = (
        VehicleHour.objects.filter(vehicle_id=vehicle_id, hour__gt=start, hour__lt=end)
        .order_by("hour")
        .values_list("hour", "readings")
    )
    cuts, readings = [start], 0
    for hour, count in hours:
        if readings >= SLICE:
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
        if last_id is None:
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
) -> tuple[Rows, int | None]:
    """At most `PAGE` readings, and the id of the last where there may be more."""
    numbers = [*(_selected(COLUMNS[name]) for name in read), _REMARKED]
    # Only the time is bounded by a constant from both sides: chunks are excluded by it.
    page = (
        "SELECT * FROM telemetry_vehicle_reading"  # noqa: S608
        " WHERE vehicle_id = %s AND time >= %s AND time < %s AND (time, reading_id) > (%s, %s)"
        f" ORDER BY time, reading_id LIMIT {PAGE}"
    )
    last_id = f"int8send((array_agg(reading_id))[{PAGE}])"
    fields = [
        *(f"string_agg({word}, NULL)" for word in (*_SENT_WHOLE, *_by_fours(numbers))),
        last_id,
    ]
    sql = f"COPY (SELECT {', '.join(fields)} FROM ({page}) page) TO STDOUT (FORMAT BINARY)"  # noqa: S608
    with connection.cursor() as cursor:
        # psycopg's own: Django's wrapper for debugging hands no parameters on.
        own = cast("psycopg.Cursor[Any]", cursor.cursor)
        with own.copy(sql, [vehicle_id, after[0], end, *after]) as copied:
            data, _end = copied  # The row with the header before it, and the trailer.
    return _decoded(memoryview(data), read)


def _by_fours(numbers: list[str]) -> Iterator[str]:
    """Four numbers as the ends of a line segment: one call sends them. Four calls, one for every
    number, take longer than to read them from the table."""
    for at in range(0, len(numbers), _EACH):
        a, b, c, d = [*numbers[at : at + _EACH], *["0"] * _EACH][:_EACH]
        yield f"lseg_send(lseg(point({a}, {b}), point({c}, {d})))"


def _selected(field: Field) -> str:
    if field.kind is Kind.BOOLEAN:
        return f"coalesce({field.name}::int::float8, 'NaN')"
    if field.kind is Kind.ENERGY:
        # The float nearest to the decimal, as a cast gives it, which goes by way of text.
        return f"coalesce(({field.name} * 1000000)::int8 / 1e6::float8, 'NaN')"
    return f"coalesce({field.name}::float8, 'NaN')"


def _decoded(data: memoryview, read: tuple[str, ...]) -> tuple[Rows, int | None]:
    time, received, *fours, last_id = _fields(data)
    times, receptions = (
        np.frombuffer(sent, ">i8").astype(np.int64) + _POSTGRES_EPOCH_US
        for sent in (time, received)
    )
    columns = [column for four in fours for column in _columns(four)]
    *floats, remarked = columns[: len(read) + 1]
    remarks = remarked.astype(np.int8)
    values = dict.fromkeys(COLUMNS, np.broadcast_to(np.nan, len(times)))
    values |= dict(zip(read, floats, strict=True))
    values |= {name: (remarks & bit > 0).astype(np.float64) for name, bit in _REMARKS.items()}
    rows = Rows(times, receptions, values)
    return rows, int.from_bytes(last_id, "big", signed=True) if len(last_id) else None


def _columns(four: memoryview) -> Iterator[Floats]:
    own = np.frombuffer(four, ">f8").astype(np.float64).reshape(-1, _EACH)
    return (np.ascontiguousarray(own[:, at]) for at in range(_EACH))


def _fields(data: memoryview) -> Iterator[memoryview]:
    """Of the only row: their number, then each with its length before it; -1 is NULL, which is
    nothing."""
    at = _HEADER + 2
    for _ in range(int.from_bytes(data[_HEADER:at], "big")):
        length = max(int.from_bytes(data[at : at + 4], "big", signed=True), 0)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length
