"""Outrider's own device protocol, version 1, as JSON and as MessagePack.

Source: docs/device-protocol.md. A frame is one reading or an array of readings.
"""

from __future__ import annotations

from typing import Any, Final, Literal, cast

import msgspec

from telemetry.adapters.decoded import (
    Adapter,
    Addressed,
    RefusedItem,
    refuse_item,
    seq_of,
    split_array,
)
from telemetry.adapters.wire import SCHEMA, UNSUPPORTED_SCHEMA, optionals
from telemetry.envelope import Envelope, Kind
from telemetry.normalise import CONTENT, METER_VALUES, VEHICLE_VALUES, reading_id
from telemetry.records import SCHEMA_VERSION
from telemetry.validate import (
    UNDECODABLE,
    Limits,
    Refusal,
    RefusalCode,
    Sequence,
    Span,
    Time,
    microseconds,
    refuse_time,
)

PROTOCOL: Final = "telemetry.v1"
VERSION: Final = 1
MAX_BATCH: Final = 500
"""Readings of one frame; more are refused one by one,"""
MAX_ITEMS: Final = 10 * MAX_BATCH
"""and beyond this the frame as a whole."""


def _wire(name: str, values: tuple[str, ...]) -> type[msgspec.Struct]:
    """The schema of one reading: its values first, in the order of the record."""
    return msgspec.defstruct(
        name,
        [
            *optionals(values),
            ("seq", Sequence),
            ("time", Time),
            SCHEMA,
        ],
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )


_WIRE: Final = {
    "v": _wire("VehicleWire", VEHICLE_VALUES),
    "m": _wire("MeterWire", METER_VALUES),
}
_VALUES: Final = {"v": len(VEHICLE_VALUES), "m": len(METER_VALUES)}

Form = Literal["json", "msgpack"]
_DECODERS: Final[dict[str, Any]] = {
    "json": msgspec.json.Decoder,
    "msgpack": msgspec.msgpack.Decoder,
}
_BARE: Final = {form: decoder().decode for form, decoder in _DECODERS.items()}
_ARRAY: Final = {form: decoder(list[msgspec.Raw]) for form, decoder in _DECODERS.items()}
_FRAME: Final = {
    (form, kind): decoder(wire | list[wire]).decode  # type: ignore[valid-type]
    for form, decoder in _DECODERS.items()
    for kind, wire in _WIRE.items()
}
_ITEM: Final = {
    (form, kind): decoder(wire).decode
    for form, decoder in _DECODERS.items()
    for kind, wire in _WIRE.items()
}


class FrameTooLarge(Exception):
    """A frame that is not even taken apart: close 4413."""


Answered = tuple[list[bytes], list[RefusedItem], int | None, int | None]
"""Of a frame: its records, what of it is refused, the highest sequence number among the
records, and the highest among all items (None where there is none). A plain tuple: a named
one costs a tenth of all the work on a frame.
"""


class Reader:
    """Reads the frames of one connected device."""

    def __init__(self, envelope: Envelope, form: Form, limits: Limits) -> None:
        kind = envelope.speaker.kind
        self._envelope = envelope
        self._decode = _FRAME[form, kind]
        self._decode_item = _ITEM[form, kind]
        self._decode_bare = _BARE[form]
        self._array = _ARRAY[form]
        self._type = _WIRE[kind]
        self._kind = kind
        self._limits = limits

    def read(self, frame: bytes | str, now_us: int) -> Answered:
        """Answer for every reading of a frame. Raises FrameTooLarge, and nothing else."""
        span = self._limits.span(now_us)
        try:
            decoded = self._decode(frame)
        except UNDECODABLE as error:
            return self._item_by_item(frame, now_us, span, error)
        if type(decoded) is self._type:
            record = self._record(decoded, now_us, span)
            if isinstance(record, bytes):
                seq = decoded.seq  # type: ignore[attr-defined]
                return [record], _NONE_REFUSED, seq, seq
        elif 0 < len(decoded) <= MAX_BATCH:
            records = [self._record(item, now_us, span) for item in decoded]
            if Refusal not in map(type, records):
                seq = max([item.seq for item in decoded])
                return cast(list[bytes], records), _NONE_REFUSED, seq, seq
        return self._item_by_item(frame, now_us, span, None)

    def _record(self, item: Any, now_us: int, span: Span) -> bytes | Refusal:
        canonical = _canonical(item, self._kind, span)
        if isinstance(canonical, Refusal):
            return canonical
        time_us, content = canonical
        return self._envelope.record(time_us, now_us, reading_id(content), content)

    def _item_by_item(
        self, frame: bytes | str, now_us: int, span: Span, error: Exception | None
    ) -> Answered:
        """The slow way round, for a frame that has something wrong with it."""
        raw = frame.encode(errors="replace") if isinstance(frame, str) else bytes(frame)
        try:
            items = split_array(raw, self._array)
        except UNDECODABLE:
            items = [raw]
        else:
            if not items or len(items) > MAX_BATCH:
                return self._refuse_size(raw, items)
        records: list[bytes] = []
        refused: list[RefusedItem] = []
        seqs: list[int] = []
        for item in items:
            try:
                decoded = self._decode_item(item)
            except UNDECODABLE as problem:
                refused.append(refuse_item(problem, item, self._decode_bare))
                continue
            record = self._record(decoded, now_us, span)
            if type(record) is bytes:
                records.append(record)
                seqs.append(decoded.seq)
            else:
                refused.append(RefusedItem.of(record, item, decoded.seq))  # type: ignore[arg-type]
        seq = max(seqs, default=None)
        through = max([*seqs, *(r.seq for r in refused if r.seq is not None)], default=None)
        return records, refused, seq, through

    def _refuse_size(self, raw: bytes, items: list[bytes]) -> Answered:
        """Refuse every item of a frame that holds too many, or none."""
        if not items:
            refusal = Refusal(RefusalCode.MALFORMED, "", "the array is empty")
            return [], [RefusedItem.of(refusal, raw)], None, None
        if len(items) > MAX_ITEMS:
            raise FrameTooLarge(f"{len(items)} items in a frame")
        refusal = Refusal(
            RefusalCode.TOO_LARGE, "", f"{len(items)} readings in a frame: at most {MAX_BATCH}"
        )
        refused = [RefusedItem.of(refusal, item, self._seq_of(item)) for item in items]
        through = max((r.seq for r in refused if r.seq is not None), default=None)
        return [], refused, None, through

    def _seq_of(self, item: bytes) -> int | None:
        try:
            return seq_of(self._decode_bare(item))
        except UNDECODABLE:
            return None


def _canonical(item: Any, kind: Kind, span: Span) -> tuple[int, bytes] | Refusal:
    """Time and canonical content of an item that fits the schema."""
    if item.schema != SCHEMA_VERSION:
        return UNSUPPORTED_SCHEMA
    time_us = microseconds(item.time)
    if not span[0] <= time_us <= span[1]:
        return refuse_time(time_us, span)
    content = CONTENT[kind](msgspec.structs.astuple(item)[: _VALUES[kind]])
    return (time_us, content) if type(content) is bytes else content  # type: ignore[return-value]


_NONE_REFUSED: list[RefusedItem] = []


def _reading_again(form: Form) -> Any:
    def read(raw: bytes, kind: Kind | None, span: Span) -> Addressed | Refusal:
        if kind is None:
            return Refusal(RefusalCode.MALFORMED, "", "the device speaks for nothing now")
        try:
            item = _ITEM[form, kind](raw)
        except UNDECODABLE as error:
            return refuse_item(error, raw, _BARE[form]).refusal
        canonical = _canonical(item, kind, span)
        if isinstance(canonical, Refusal):
            return canonical
        return Addressed(kind, "", "", *canonical)

    return read


JSON = Adapter("telemetry.v1.json", PROTOCOL, VERSION, _reading_again("json"))
MSGPACK = Adapter("telemetry.v1.msgpack", PROTOCOL, VERSION, _reading_again("msgpack"))
