"""Rows for PostgreSQL's binary COPY.

https://www.postgresql.org/docs/17/sql-copy.html, "Binary Format"; the formats of the values
are those of the types' `send` and `recv` functions. Written here because it is the hot path:
rows of one shape (the same columns empty) share one compiled `struct`, and times and
energies go over as the integers they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from operator import itemgetter
from struct import Struct
from typing import Any

import msgspec

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_JSONB_VERSION = b"\x01"
_POSTGRES_EPOCH = 946_684_800_000_000
"""2000-01-01 in microseconds since 1970."""
_TEXT_OID = 25

_length = Struct(">i").pack
_numeric = Struct(">hhHh7h").pack
_array_head = Struct(">iiiii").pack

_MAX_SHAPES = 10_000


class Type(Enum):
    """How a value is given, and the PostgreSQL type it becomes."""

    INT8 = "int"
    INT4 = "int as int4"
    INT2 = "int as int2"
    FLOAT8 = "float"
    BOOL = "bool"
    TIMESTAMP = "int, microseconds since 1970, as timestamptz"
    ENERGY = "Decimal as numeric, six decimals"
    MILLIONTHS = "int, millionths, as numeric"
    TEXT = "str"
    TEXTS = "sequence of str as text[]"
    JSON = "anything msgspec can encode as jsonb"


@dataclass(frozen=True)
class Column:
    name: str
    type: Type


def millionths(value: Decimal) -> int:
    """A decimal in millionths, half to even."""
    return round(value * 1_000_000)


def numeric(value: int) -> bytes:
    """Millionths as a `numeric` of fixed length: five groups of four digits, then two."""
    if 0 <= value < 10_000_000_000:  # nearly all: one group before the point
        ones, fraction = divmod(value, 1_000_000)
        first, second = divmod(fraction * 100, 10_000)
        return _numeric(7, 4, 0, 6, 0, 0, 0, 0, ones, first, second)
    rest = abs(value) * 100
    groups = []
    for _ in range(7):
        rest, group = divmod(rest, 10_000)
        groups.append(group)
    groups.reverse()
    return _numeric(7, 4, 0x4000 if value < 0 else 0, 6, *groups)


def _energy(value: Decimal) -> bytes:
    return numeric(millionths(value))


@lru_cache(maxsize=8192)
def _text(value: str) -> bytes:
    encoded = value.encode()
    return _length(len(encoded)) + encoded


def _texts(value: Sequence[str]) -> bytes:
    if value:
        body = _array_head(1, 0, _TEXT_OID, len(value), 1) + b"".join(map(_text, value))
    else:
        body = _array_head(0, 0, _TEXT_OID, 0, 0)[:12]
    return _length(len(body)) + body


def _json(value: Any) -> bytes:
    body = _JSONB_VERSION + msgspec.json.encode(value)
    return _length(len(body)) + body


def _since_2000(value: int) -> int:
    return value - _POSTGRES_EPOCH


_FIXED: dict[Type, tuple[str, int, Callable[[Any], Any] | None]] = {
    Type.INT8: ("q", 8, None),
    Type.INT4: ("i", 4, None),
    Type.INT2: ("h", 2, None),
    Type.FLOAT8: ("d", 8, None),
    Type.BOOL: ("?", 1, None),
    Type.TIMESTAMP: ("q", 8, _since_2000),
    Type.ENERGY: ("22s", 22, _energy),
    Type.MILLIONTHS: ("22s", 22, numeric),
}
_VARIABLE: dict[Type, Callable[[Any], bytes]] = {
    Type.TEXT: _text,
    Type.TEXTS: _texts,
    Type.JSON: _json,
}


class _Shape:
    """Rows with the same columns empty: constant bytes and packed values by turns."""

    def __init__(
        self,
        count: int,
        fixed: list[tuple[int, Type]],
        variable: list[tuple[int, Type]],
        empty: frozenset[int],
    ) -> None:
        layout, constants = [">"], [count.to_bytes(2, "big")]
        present: list[int] = []
        self.conversions: list[tuple[int, Callable[[Any], Any]]] = []
        for at, kind in fixed:
            if at in empty:
                constants[-1] += _NULL
                continue
            code, size, convert = _FIXED[kind]
            constants[-1] += _length(size)
            layout += (f"{len(constants[-1])}s", code)
            if convert is not None:
                self.conversions.append((2 * len(present) + 1, convert))
            present.append(at)
            constants.append(b"")
        layout.append(f"{len(constants[-1])}s")
        self.pack = Struct("".join(layout)).pack
        self.template: list[Any] = [None] * (2 * len(present) + 1)
        self.template[0::2] = constants
        self.present: Callable[[Sequence[Any]], Sequence[Any]] = (
            itemgetter(*present) if len(present) > 1 else lambda row: [row[at] for at in present]
        )
        self.variable = [(at, None if at in empty else _VARIABLE[kind]) for at, kind in variable]


class BinaryRows:
    """Encodes rows, given as tuples in the order of `columns`, for `COPY … (FORMAT BINARY)`.

    `names` is the column list the COPY statement must have.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        numbered = [(at, column.type) for at, column in enumerate(columns)]
        self._fixed = [(at, kind) for at, kind in numbered if kind in _FIXED]
        self._variable = [(at, kind) for at, kind in numbered if kind in _VARIABLE]
        self._shapes: dict[tuple[type, ...], _Shape] = {}
        self.names = ", ".join(columns[at].name for at, _ in (*self._fixed, *self._variable))

    def encode(self, rows: Iterable[Sequence[Any]]) -> bytes:
        """The whole COPY stream.

        Raises ValueError, TypeError, struct.error or OverflowError for a value that its
        column cannot hold.
        """
        shapes = self._shapes
        out = [_HEADER]
        for row in rows:
            types = tuple(map(type, row))
            shape = shapes.get(types)
            if shape is None:
                shape = self._learn(types)
            values = shape.template
            values[1::2] = shape.present(row)
            for at, convert in shape.conversions:
                values[at] = convert(values[at])
            out.append(shape.pack(*values))
            for at, encode in shape.variable:
                out.append(_NULL if encode is None else encode(row[at]))
        out.append(_TRAILER)
        return b"".join(out)

    def _learn(self, types: tuple[type, ...]) -> _Shape:
        if len(self._shapes) >= _MAX_SHAPES:
            self._shapes.clear()
        empty = frozenset(at for at, kind in enumerate(types) if kind is type(None))
        count = len(self._fixed) + len(self._variable)
        shape = self._shapes[types] = _Shape(count, self._fixed, self._variable, empty)
        return shape
