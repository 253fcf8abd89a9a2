"""History as the engine reads it: one vehicle or meter, in the order of its own time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from alerts.engine.clock import from_us
from telemetry.records import SCHEMA_VERSION, MeterReading, Reading, VehicleReading

PAGE = 5000

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


def _reading(record: type[Any], row: tuple[Any, ...], attributes_at: int) -> Any:
    """A row as it came out of the log. Django leaves the text of a JSON column as it is."""
    values = list(row)
    if isinstance(values[attributes_at], str):
        values[attributes_at] = msgspec.json.decode(values[attributes_at])
    return record(SCHEMA_VERSION, *values)
