"""The bodies of `POST /v1/telemetry/ingest`: one object, an array, or a line each.

A vehicle's reading and a meter's are told apart by the identifier they carry. Beside the
canonical names of `telemetry.fields` the camelCase names of `ALIASES` are taken. Pure.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from telemetry.adapters.decoded import (
    Adapter,
    Addressed,
    RefusedItem,
    refuse_item,
    split_array,
)
from telemetry.adapters.wire import SCHEMA, UNSUPPORTED_SCHEMA, optional, optionals
from telemetry.envelope import Kind
from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS
from telemetry.normalise import (
    CONTENT,
    METER_VALUES,
    NO_METER_VALUES,
    NO_VEHICLE_VALUES,
    VEHICLE_VALUES,
)
from telemetry.records import SCHEMA_VERSION
from telemetry.validate import (
    UNDECODABLE,
    Refusal,
    RefusalCode,
    Span,
    Time,
    microseconds,
    refuse_time,
)

PROTOCOL: Final = "http.v1"
VERSION: Final = 1
MAX_ITEMS: Final = 10_000
"""Readings of one request."""

ALIASES: Final = {
    "kwhConsumedAc": "energy_ac_kwh",
    "voltage": "voltage_v",
    "soc": "soc_pct",
    "kwhDeliveredDc": "energy_dc_kwh",
    "batteryTemp": "battery_temp_c",
}
_IDENTIFIERS: Final[dict[str, Kind]] = {
    "vehicleId": "v",
    "vehicle_id": "v",
    "meterId": "m",
    "meter_id": "m",
}
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z")]

# The values of a vehicle, those of a meter without the attributes they share, the aliases.
_METER_OWN: Final = METER_VALUES[:-1]
_VEHICLE_END: Final = len(VEHICLE_VALUES)
_METER_END: Final = _VEHICLE_END + len(_METER_OWN)
_ALIAS_END: Final = _METER_END + len(ALIASES)
_VEHICLE_OWN_END: Final = _VEHICLE_END - 1
_NO_ALIAS: Final = (None,) * len(ALIASES)
_NO_METER_OWN: Final = NO_METER_VALUES[:-1]
_NO_VEHICLE_OWN: Final = NO_VEHICLE_VALUES[:-1]
_PLACES: Final = {name: at for at, name in enumerate((*VEHICLE_VALUES, *_METER_OWN))}

_Item: Any = msgspec.defstruct(
    "HttpItem",
    [
        *optionals((*VEHICLE_VALUES, *_METER_OWN)),
        *(optional(alias, name) for alias, name in ALIASES.items()),
        *((name, Reference | None, None) for name in _IDENTIFIERS),
        ("time", Time | None, None),
        ("timestamp", Time | None, None),
        SCHEMA,
    ],
    forbid_unknown_fields=True,
    kw_only=True,
    gc=False,
)
if VEHICLE_VALUES[-1] != "attributes" or METER_VALUES[-1] != "attributes":
    raise AssertionError("attributes close the values of both kinds: _values() relies on it")

_body = msgspec.json.Decoder(_Item | list[_Item])
_item = msgspec.json.Decoder(_Item).decode
_bare = msgspec.json.Decoder().decode
_array = msgspec.json.Decoder(list[msgspec.Raw])


class BodyMalformed(Exception):
    """The body as a whole is no JSON, so that nothing in it can be answered for."""


class BodyTooLarge(Exception):
    """More items than one request may carry."""


class Judged(NamedTuple):
    """The answer for one item: its reading, or its refusal."""

    reading: Addressed | None
    refused: RefusedItem | None


def read_json(body: bytes, span: Span) -> list[Judged]:
    """Answer for every item of a body: one object or an array of them."""
    try:
        decoded = _body.decode(body)
    except UNDECODABLE:
        return _judge_raw(split_json(body), span)
    items = decoded if type(decoded) is list else [decoded]
    if len(items) > MAX_ITEMS:
        raise BodyTooLarge(len(items))
    answers = [_judge(item, span) for item in items]
    if Refusal not in map(type, answers):
        return [Judged(answer, None) for answer in answers]  # type: ignore[arg-type]
    return _judge_raw(split_json(body), span)


def read_lines(body: bytes, span: Span) -> list[Judged]:
    """Answer for every line of newline-delimited JSON; blank lines do not count."""
    return _judge_raw(split_lines(body), span)


def split_lines(body: bytes) -> list[bytes]:
    """The lines of newline-delimited JSON."""
    lines = [line for line in body.split(b"\n") if line.strip()]
    if len(lines) > MAX_ITEMS:
        raise BodyTooLarge(len(lines))
    return lines


def split_json(body: bytes) -> list[bytes]:
    """The items of a JSON body as they came."""
    if body.lstrip()[:1] != b"[":
        try:
            if isinstance(_bare(body), dict):
                return [body]
        except UNDECODABLE as error:
            raise BodyMalformed(str(error)) from error
        raise BodyMalformed("the body is neither an object nor an array of objects")
    try:
        items = split_array(body, _array)
    except UNDECODABLE as error:
        raise BodyMalformed(str(error)) from error
    if len(items) > MAX_ITEMS:
        raise BodyTooLarge(len(items))
    return items


def _judge_raw(raw_items: list[bytes], span: Span) -> list[Judged]:
    judged = []
    for raw in raw_items:
        try:
            answer = _judge(_item(raw), span)
        except UNDECODABLE as error:
            judged.append(Judged(None, refuse_item(error, raw, _bare, ALIASES)))
            continue
        if type(answer) is Refusal:
            judged.append(Judged(None, RefusedItem.of(answer, raw)))
        else:
            judged.append(Judged(answer, None))  # type: ignore[arg-type]
    return judged


def _judge(item: Any, span: Span) -> Addressed | Refusal:
    if item.schema != SCHEMA_VERSION:
        return UNSUPPORTED_SCHEMA
    subject = _subject(item)
    if isinstance(subject, Refusal):
        return subject
    kind, name, reference = subject
    if item.timestamp is not None and item.time is not None:
        return _twice("timestamp", "time")
    time = item.time if item.time is not None else item.timestamp
    if time is None:
        return Refusal(RefusalCode.MISSING_FIELD, "time", "the field is required")
    time_us = microseconds(time)
    if not span[0] <= time_us <= span[1]:
        return refuse_time(time_us, span, "time" if item.time is not None else "timestamp")
    values = _values(item, kind)
    if isinstance(values, Refusal):
        return values
    content = CONTENT[kind](values)
    if isinstance(content, Refusal):
        return _as_sent(content, item)
    return Addressed(kind, reference, name, time_us, content)


def _as_sent(refusal: Refusal, item: Any) -> Refusal:
    """The refusal with the field's name as the caller wrote it."""
    for alias, name in ALIASES.items():
        if name == refusal.field and getattr(item, alias) is not None:
            return msgspec.structs.replace(refusal, field=alias)
    return refusal


def _subject(item: Any) -> tuple[Kind, str, str] | Refusal:
    """What the item is about: its kind, the field that says so, and the reference."""
    given = [
        (kind, name, reference)
        for name, kind in _IDENTIFIERS.items()
        if (reference := getattr(item, name)) is not None
    ]
    if len(given) == 1:
        return given[0]
    if not given:
        return Refusal(
            RefusalCode.MISSING_FIELD, "vehicle_id", "a reading names its vehicle or its meter"
        )
    return _twice(given[1][1], given[0][1])


def _values(item: Any, kind: Kind) -> tuple[Any, ...] | Refusal:
    """The item's values in the order of its kind's record, aliases resolved."""
    values = msgspec.structs.astuple(item)
    if values[_METER_END:_ALIAS_END] != _NO_ALIAS:
        merged = list(values)
        for at, (alias, name) in enumerate(ALIASES.items(), start=_METER_END):
            if values[at] is None:
                continue
            if values[_PLACES[name]] is not None:
                return _twice(alias, name)
            merged[_PLACES[name]] = values[at]
        values = tuple(merged)
    if kind == "v":
        if values[_VEHICLE_END:_METER_END] != _NO_METER_OWN:
            return _foreign(item, METER_FIELDS, "a vehicle")
        return values[:_VEHICLE_END]
    if values[:_VEHICLE_OWN_END] != _NO_VEHICLE_OWN:
        return _foreign(item, {**VEHICLE_FIELDS, "alarms": None}, "a meter")
    return (*values[_VEHICLE_END:_METER_END], values[_VEHICLE_OWN_END])


def _foreign(item: Any, names: Any, subject: str) -> Refusal:
    sent = [*names, *(alias for alias, name in ALIASES.items() if name in names)]
    name = next(name for name in sent if getattr(item, name) is not None)
    return Refusal(RefusalCode.UNKNOWN_FIELD, name, f"not a field of {subject}'s reading")


def _twice(name: str, twin: str) -> Refusal:
    return Refusal(RefusalCode.MALFORMED, name, f"{name} and {twin} cannot both be given")


def _read_again(raw: bytes, kind: Kind | None, span: Span) -> Addressed | Refusal:
    try:
        return _judge(_item(raw), span)
    except UNDECODABLE as error:
        return refuse_item(error, raw, _bare, ALIASES).refusal


ADAPTER = Adapter("http.v1", PROTOCOL, VERSION, _read_again)
