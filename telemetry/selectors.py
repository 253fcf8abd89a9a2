"""Reads of stored telemetry: latest states, and pages of history.

Raw SQL on purpose: these run on every request, and each is one scan of a primary key. The
ids that come in have been resolved inside the caller's tenant; nothing else scopes them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from django.db import connection

from telemetry.clock import from_us, to_us
from telemetry.storage.subjects import METERS, VEHICLES, Subject
from tenants.errors import DomainError

MAX_PAGE = 1000
_FIRST_WINDOW = timedelta(days=8)
"""A page is sought in windows, each twice as long as the one before, from the end it starts
at: what is planned and opened does not grow with the chunks there are."""

_JSON_COLUMNS = ("attributes", "older")
"""Django's connections read jsonb as text."""

Order = Literal["asc", "desc"]


def _rows(sql: str, parameters: Sequence[Any]) -> Iterator[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        names = [column.name for column in cursor.description]
        for row in cursor.fetchall():
            found = dict(zip(names, row, strict=True))
            for name in _JSON_COLUMNS:
                if found.get(name) is not None:
                    found[name] = msgspec.json.decode(found[name])
            yield found


def _states(subject: Subject, ids: Iterable[int]) -> list[dict[str, Any]]:
    columns = ", ".join(column.name for column in subject.history)
    return list(
        _rows(
            f"SELECT {columns}, older FROM {subject.latest_table}"  # noqa: S608
            f" WHERE {subject.key} = ANY(%s) ORDER BY {subject.key}",
            [list(ids)],
        )
    )


def vehicle_states(ids: Iterable[int]) -> list[dict[str, Any]]:
    """Latest states by column name, for those of these vehicles that have one."""
    return _states(VEHICLES, ids)


def meter_states(ids: Iterable[int]) -> list[dict[str, Any]]:
    """Latest states by column name, for those of these meters that have one."""
    return _states(METERS, ids)


@dataclass(frozen=True)
class Position:
    """Where a page of history ended: the identity of its last reading within the subject."""

    time: datetime
    reading_id: int

    def encoded(self) -> str:
        identity = b"%d.%d" % (to_us(self.time), self.reading_id)
        return base64.urlsafe_b64encode(identity).decode()

    @classmethod
    def decoded(cls, cursor: str) -> Position:
        """Raises DomainError `bad_cursor` for anything `encoded` did not make."""
        try:
            text = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
            time_us, reading_id = (int(part) for part in text.split(b"."))
            time = from_us(time_us)
            if not -(2**31) <= reading_id < 2**31:
                raise ValueError(reading_id)
        except (ValueError, OverflowError, binascii.Error) as error:
            raise DomainError("bad_cursor", 400, "The cursor is not one of ours.") from error
        return cls(time, reading_id)


@dataclass(frozen=True)
class Page:
    """Readings by column name (what was not sent is left out), and where the next page starts."""

    readings: list[dict[str, Any]]
    after: Position | None


def history(
    subject: Subject,
    subject_id: int,
    *,
    start: datetime,
    end: datetime,
    fields: Sequence[str],
    limit: int,
    order: Order = "desc",
    after: Position | None = None,
) -> Page:
    """One page of readings with start <= time < end, by (time, reading_id).

    `fields` are names of columns and must come from the subject's table of fields.
    """
    found: list[dict[str, Any]] = []
    for low, high in _windows(start, end, order, after):
        found += _window(
            subject, subject_id, low, high, fields, limit + 1 - len(found), order, after
        )
        if len(found) > limit:
            break
    page = found[:limit]
    last = Position(page[-1]["time"], page[-1]["reading_id"]) if len(found) > limit else None
    for reading in page:
        del reading["reading_id"]
    return Page(page, last)


def _windows(
    start: datetime, end: datetime, order: Order, after: Position | None
) -> Iterator[tuple[datetime, datetime]]:
    """Cut [start, end) into windows of growing length, in the order of reading."""
    if after is not None and order == "desc":
        end = min(end, after.time + timedelta(microseconds=1))
    elif after is not None:
        start = max(start, after.time)
    length = _FIRST_WINDOW
    while start < end:
        length = min(length, end - start)
        if order == "desc":
            yield end - length, end
            end -= length
        else:
            yield start, start + length
            start += length
        length *= 2


def _window(
    subject: Subject,
    subject_id: int,
    low: datetime,
    high: datetime,
    fields: Sequence[str],
    limit: int,
    order: Order,
    after: Position | None,
) -> list[dict[str, Any]]:
    beyond, parameters = "", [subject_id, low, high]
    if after is not None:
        beyond = f"AND (time, reading_id) {'<' if order == 'desc' else '>'} (%s, %s)"
        parameters += (after.time, after.reading_id)
    columns = ", ".join(["time", "reading_id", "received_at", *fields])
    rows = _rows(
        f"SELECT {columns} FROM {subject.history_table}"  # noqa: S608
        f" WHERE {subject.key} = %s AND time >= %s AND time < %s {beyond}"
        f" ORDER BY time {order}, reading_id {order} LIMIT %s",
        [*parameters, limit],
    )
    return [{name: value for name, value in row.items() if value is not None} for row in rows]
