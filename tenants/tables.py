"""Tables on pages: filtered, sorted, and paged by the last row seen, never by counting.

A cursor is the sort value and the reference of the row at the page's edge. It names no
internal id, and a made-up one only moves the page: the rows stay the organisation's.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import QueryDict
from django.utils.functional import Promise

M = TypeVar("M", bound=Model)

PAGE_SIZE: Final = 50
LONGEST_CURSOR: Final = 600


@dataclass(frozen=True, slots=True)
class Column:
    """A heading. `order`: the field or annotation to sort by, never NULL; empty: unsortable."""

    name: str
    label: str | Promise
    order: str = ""
    numeric: bool = False
    is_time: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """A column as the table shows it."""

    column: Column
    query: str
    """Of the link that sorts by it; empty: no link."""
    direction: str
    """`ascending`, `descending` or `none`: the value of `aria-sort`."""


@dataclass(frozen=True)
class Page(Generic[M]):
    rows: Sequence[M]
    headings: Sequence[Heading]
    newer: str
    """Query of the page before this one; empty: this is the first."""
    older: str


def page_of(
    queryset: QuerySet[M],
    *,
    columns: Sequence[Column],
    query: QueryDict,
    default: str,
    tie: str = "reference",
    size: int = PAGE_SIZE,
) -> Page[M]:
    """One page. Reads `sort` (a column's name, `-` before it: descending), `after`, `before`.

    `tie` is a field that is unique within the tenant. One query.
    """
    sortable = {column.name: column for column in columns if column.order}
    wanted = query.get("sort") or default
    if wanted.lstrip("-") not in sortable:
        wanted = default
    descending = wanted.startswith("-")
    column = sortable[wanted.lstrip("-")]

    edge = _read(query.get("after") or "")
    backwards = edge is None and _read(query.get("before") or "") is not None
    if backwards:
        edge = _read(query.get("before") or "")
    reverse = descending != backwards
    if edge is not None:
        try:
            queryset = _beyond(queryset, column.order, tie, edge, reverse=reverse)
        except (ValueError, ValidationError):
            edge = None
    sign = "-" if reverse else ""
    rows = list(queryset.order_by(sign + column.order, sign + tie)[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    has_before = more if backwards else edge is not None
    has_after = True if backwards else more
    return Page(
        rows=rows,
        headings=[_heading(each, query, wanted) for each in columns],
        newer=_at(query, "before", rows[0], column, tie) if rows and has_before else "",
        older=_at(query, "after", rows[-1], column, tie) if rows and has_after else "",
    )


def _beyond(
    queryset: QuerySet[M], order: str, tie: str, edge: tuple[Any, str], *, reverse: bool
) -> QuerySet[M]:
    side = "lt" if reverse else "gt"
    value, reference = edge
    return queryset.filter(
        Q(**{f"{order}__{side}": value}) | Q(**{order: value, f"{tie}__{side}": reference})
    )


def _heading(column: Column, query: QueryDict, wanted: str) -> Heading:
    if not column.order:
        return Heading(column, "", "none")
    current = wanted.lstrip("-") == column.name
    descending = wanted.startswith("-")
    # Times are read from the newest, names from A.
    first = f"-{column.name}" if column.is_time else column.name
    turned = column.name if descending else f"-{column.name}"
    direction = ("descending" if descending else "ascending") if current else "none"
    return Heading(column, _with(query, sort=turned if current else first), direction)


def _at(query: QueryDict, side: str, row: Model, column: Column, tie: str) -> str:
    value = row
    for part in column.order.split("__"):
        value = getattr(value, part)
    shown = value.isoformat() if isinstance(value, datetime) else value
    edge = json.dumps([shown, str(getattr(row, tie))], default=str)
    return _with(query, **{side: base64.urlsafe_b64encode(edge.encode()).decode()})


def _with(query: QueryDict, **changes: str) -> str:
    changed = query.copy()
    for name in ("after", "before"):
        changed.pop(name, None)
    for name, value in changes.items():
        changed[name] = value
    return "?" + changed.urlencode()


def _read(cursor: str) -> tuple[Any, str] | None:
    if not cursor or len(cursor) > LONGEST_CURSOR:
        return None
    try:
        value, reference = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, binascii.Error, TypeError, RecursionError):
        return None
    if not isinstance(reference, str) or not isinstance(value, str | int | float):
        return None
    if "\x00" in reference or (isinstance(value, str) and "\x00" in value):
        return None
    return value, reference
