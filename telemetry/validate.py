"""The contract of a reading at the edge: its types, its ranges, and the reasons for refusal.

The schema of the wire is generated from `telemetry.fields`, so that msgspec checks types,
ranges and unknown names while it decodes, at no extra cost for a reading that is right. Only
one that is wrong is looked at again, to say what is wrong with it. Pure: time is passed in.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from telemetry.clock import from_us, to_us
from telemetry.fields import (
    MAX_ALARMS,
    MAX_ATTRIBUTES,
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
    METER_FIELDS,
    VEHICLE_FIELDS,
    Field,
    Kind,
)


class RefusalCode(StrEnum):
    """Why a reading is refused for good. Public: devices and integrations see these."""

    MALFORMED = "malformed"
    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    OUT_OF_RANGE = "out_of_range"
    BAD_TIME = "bad_time"
    FUTURE_TIME = "future_time"
    UNSUPPORTED_SCHEMA = "unsupported_schema"
    TOO_LARGE = "too_large"
    UNKNOWN_VEHICLE = "unknown_vehicle"
    UNKNOWN_METER = "unknown_meter"


class Refusal(msgspec.Struct, frozen=True):
    """A permanent no. `field` is the name as it was sent, empty where no field is to blame."""

    code: RefusalCode
    field: str
    detail: str


# --- Types of the wire -------------------------------------------------------------------
_EXACT_INTEGER: Final = 2**53
"""Beyond it JSON parsers disagree about a number, and so does jsonb with a double."""
_LARGEST_DOUBLE: Final = 1.7976931348623157e308

# PostgreSQL can store no NUL in text; a bound on floats is also what keeps NaN out.
_NO_NUL: Final = r"^[^\x00]*$"
Text = Annotated[str, Meta(max_length=MAX_TEXT_LENGTH, pattern=_NO_NUL)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_LENGTH, pattern=_NO_NUL)]
Alarms = Annotated[tuple[Name, ...], Meta(max_length=MAX_ALARMS)]
AttributeInteger = Annotated[int, Meta(ge=-_EXACT_INTEGER, le=_EXACT_INTEGER)]
AttributeNumber = Annotated[float, Meta(ge=-_LARGEST_DOUBLE, le=_LARGEST_DOUBLE)]
Attributes = Annotated[
    dict[Name, bool | AttributeInteger | AttributeNumber | Text | None],
    Meta(max_length=MAX_ATTRIBUTES),
]
Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Time = Annotated[datetime, Meta(tz=True)] | int
"""RFC 3339 with a zone, or integer milliseconds since 1970 in UTC."""


def wire_type(field: Field) -> Any:
    """The type a field is decoded as. Energy is a decimal: its range is checked afterwards."""
    match field.kind:
        case Kind.NUMBER:
            value: Any = Annotated[float, Meta(ge=field.low, le=field.high)]
        case Kind.INTEGER:
            value = Annotated[int, Meta(ge=field.low, le=field.high)]
        case Kind.BOOLEAN:
            value = bool
        case Kind.TEXT:
            value = Text
        case Kind.ENERGY:
            value = Decimal
    return value | None


# --- Time --------------------------------------------------------------------------------
DAY_US: Final = 86_400_000_000
EARLIEST_US: Final = 946_684_800_000_000
"""2000-01-01: no telemetry is older, but many a clock that was never set is."""


def microseconds(time: datetime | int) -> int:
    """A decoded `Time` as microseconds since 1970, exactly."""
    if isinstance(time, int):
        return time * 1000
    return to_us(time)


Span = tuple[int, int]
"""The earliest and the latest time that a reading may have, in microseconds since 1970."""


class Limits(NamedTuple):
    """How far ahead of the server a clock may be, and how many days of history are kept."""

    ahead_us: int
    kept_days: int

    def span(self, now_us: int) -> Span:
        """What is taken at this moment. Retention cuts at midnight UTC, and so does this."""
        kept_since_us = now_us - now_us % DAY_US - self.kept_days * DAY_US
        return max(EARLIEST_US, kept_since_us), now_us + self.ahead_us


def refuse_time(time_us: int, span: Span, name: str = "time") -> Refusal:
    """Why a time outside the span is refused."""
    if time_us < EARLIEST_US:
        return Refusal(RefusalCode.BAD_TIME, name, "the time lies before the year 2000")
    if time_us < span[0]:
        since = from_us(span[0]).date()
        return Refusal(
            RefusalCode.BAD_TIME, name, f"the time is too old: history is kept since {since}"
        )
    return Refusal(RefusalCode.FUTURE_TIME, name, "the time lies in the future")


# --- Explaining what msgspec found --------------------------------------------------------
ALL_FIELDS: Final = VEHICLE_FIELDS | METER_FIELDS
_UNKNOWN = re.compile(r"unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"missing required field `(.*)`")
_PATH = re.compile(r"`\$(?:\[\d*\])?\.?([A-Za-z_]\w*)")
_BOUND = re.compile(r"Expected `(?:int|float)` [<>]=|out of range")
_TOO_LONG = re.compile(r"of length <=")

UNDECODABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""What decoding hostile bytes may raise."""


def printable(text: str, limit: int) -> str:
    """Text of a stranger, fit to be stored and shown: bounded, without NUL or surrogates."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return cut.replace("\x00", "\ufffd").encode(errors="replace").decode()


def explain(
    error: BaseException, item: object, *, aliases: dict[str, str] | None = None
) -> Refusal:
    """What is wrong with an item that did not fit the schema.

    `item` is the item decoded without a schema (or None where that failed too); `aliases`
    maps a body's own names to those of `telemetry.fields`.
    """
    message = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return Refusal(RefusalCode.MALFORMED, "", printable(message, 200))
    if unknown := _UNKNOWN.search(message):
        name = printable(unknown[1], 80)
        return Refusal(
            RefusalCode.UNKNOWN_FIELD, name, "no such field: what has no name goes into attributes"
        )
    if missing := _MISSING.search(message):
        return Refusal(RefusalCode.MISSING_FIELD, missing[1], "the field is required")
    path = _PATH.search(message)
    name = path[1] if path else ""
    if name in ("time", "timestamp"):
        return Refusal(
            RefusalCode.BAD_TIME, name, "neither RFC 3339 with a zone nor integer milliseconds"
        )
    if _TOO_LONG.search(message):
        return Refusal(RefusalCode.TOO_LARGE, name, printable(message, 200))
    if _BOUND.search(message):
        return _out_of_range(name, message, item, aliases or {})
    return Refusal(RefusalCode.MALFORMED, name, printable(message, 200))


def _out_of_range(name: str, message: str, item: object, aliases: dict[str, str]) -> Refusal:
    field = ALL_FIELDS.get(aliases.get(name, name))
    value = item.get(name) if isinstance(item, dict) else None
    if field is None or value is None:
        return Refusal(RefusalCode.OUT_OF_RANGE, name, printable(message, 200))
    return out_of_range(name, field, value)


def out_of_range(name: str, field: Field, value: object) -> Refusal:
    """`91.2 is not in [-90, 90]`"""
    shown = printable(repr(value) if not isinstance(value, Decimal) else str(value), 40)
    return Refusal(
        RefusalCode.OUT_OF_RANGE, name, f"{shown} is not in [{field.low:g}, {field.high:g}]"
    )
