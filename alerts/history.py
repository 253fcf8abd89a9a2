"""History as the engine reads it: one vehicle or meter, in the order of its own time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

from alerts.engine.derived import Age, RateOfChange
from alerts.engine.metrics import ATTRIBUTE
from alerts.engine.program import Program
from alerts.engine.state import Samples, SubjectState
from telemetry.clock import from_us, to_us
from telemetry.records import SCHEMA_VERSION, MeterReading, Reading, VehicleReading

PAGE = 5000
FURTHEST = timedelta(days=31)
"""How far back it is looked when a value was last heard of."""

_RECORDS: dict[str, tuple[type[Any], str, str]] = {
    "v": (VehicleReading, "vehicle_id", "telemetry_vehicle_reading"),
    "m": (MeterReading, "meter_id", "telemetry_meter_reading"),
}


def pages(
    kind: str, subject_id: int, *, since: datetime, until: datetime
) -> Iterator[list[Reading]]:
    """Readings in [since, until), in pages by key; none of them empty."""
    record, key, table = _RECORDS[kind]
    names = record.__struct_fields__[1:]
    attributes_at = names.index("attributes")
    columns = ", ".join(
        f"(extract(epoch FROM {name}) * 1000000)::bigint"
        if name in ("time", "received_at")
        else name
        for name in names
    )
    sql = (
        f"SELECT {columns} FROM {table} WHERE {key} = %s AND time >= %s AND time < %s"  # noqa: S608
        " AND (time, reading_id) > (%s, %s) ORDER BY time, reading_id LIMIT %s"
    )
    after, after_id = since, -(2**31) - 1
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql, [subject_id, since, until, after, after_id, PAGE])
            page = [_reading(record, row, attributes_at) for row in cursor.fetchall()]
        if page:
            yield page
        if len(page) < PAGE:
            return
        after, after_id = from_us(page[-1].time), page[-1].reading_id


def state_before(program: Program, kind: str, subject_id: int, since: datetime) -> SubjectState:
    """What the engine has to know of the time before a stretch of history: when the values
    whose age it follows were last heard of."""
    known: dict[str, Samples] = {}
    for one in program.followed:
        if isinstance(one.derived, Age):
            heard = last_heard(kind, subject_id, one.derived.of, before=since)
            if heard is not None:
                known[one.derived.name] = ((to_us(heard), 0.0),)
    return SubjectState(derived=known)


def last_heard(kind: str, subject_id: int, name: str, *, before: datetime) -> datetime | None:
    """Of the newest reading before then that had the value."""
    bounds = [before, before - FURTHEST]
    return _heard(kind, subject_id, name, "time < %s AND time >= %s", bounds, "DESC")


def touched_until(program: Program, kind: str, subject_id: int, last: datetime) -> datetime:
    """How far the values that the program follows reach beyond a late reading: to the end of
    a window, to where the value whose age is followed is heard of again."""
    until = last
    for one in program.followed:
        if isinstance(one.derived, RateOfChange):
            until = max(until, last + timedelta(seconds=one.derived.window_s))
        else:
            heard = _heard_again(kind, subject_id, one.derived.of, after=last)
            until = max(until, heard or datetime.now(UTC))
    return until


def _heard_again(kind: str, subject_id: int, name: str, *, after: datetime) -> datetime | None:
    """Of the oldest reading after then that had the value."""
    return _heard(kind, subject_id, name, "time > %s", [after], "ASC")


def _heard(
    kind: str, subject_id: int, name: str, span: str, bounds: list[datetime], order: str
) -> datetime | None:
    """Of the first reading in the span, in that order of time, that has the value."""
    _, key, table = _RECORDS[kind]
    present, arguments = presence(name)
    sql = (
        f"SELECT time FROM {table} WHERE {key} = %s AND {span}"  # noqa: S608
        f" AND {present} ORDER BY time {order} LIMIT 1"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [subject_id, *bounds, *arguments])
        row = cursor.fetchone()
    return None if row is None else row[0]


def presence(name: str) -> tuple[str, list[str]]:
    """SQL that says whether a row has the value, and its arguments. The name is a field of
    ours or an attribute."""
    if not name.startswith(ATTRIBUTE):
        return f"({name} IS NOT NULL)", []
    attribute = name.removeprefix(ATTRIBUTE)
    return "(coalesce(jsonb_typeof(attributes -> %s), 'null') <> 'null')", [attribute]


def _reading(record: type[Any], row: tuple[Any, ...], attributes_at: int) -> Any:
    """A row as it came out of the log. Django leaves the text of a JSON column as it is."""
    values = list(row)
    if isinstance(values[attributes_at], str):
        values[attributes_at] = msgspec.json.decode(values[attributes_at])
    return record(SCHEMA_VERSION, *values)
