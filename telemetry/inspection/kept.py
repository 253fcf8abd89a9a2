"""A frame as it is kept for whoever looks at its device: cut, masked, in a few KiB. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from telemetry.adapters.decoded import RefusedItem
from telemetry.envelope import array_header
from telemetry.records import MeterReading, VehicleReading

FRAMES: Final = 20
"""Frames of one device."""
RAW_BYTES: Final = 4096
READINGS: Final = 10
READINGS_BYTES: Final = 20 * 1024
REFUSALS: Final = 10
_FIELD: Final = 64
_DETAIL: Final = 200
FRAME_BYTES: Final = 40 * 1024
"""No frame is larger than this, encoded."""
_LONGEST_SECRET: Final = 128
"""What is masked may lie across the cut: so many bytes beyond it are looked at."""

SECRET: Final = re.compile(rb"(or[a-z]_[0-9a-zA-Z]{12}_)([A-Za-z0-9_-]+)")
# Seventeen characters without I, O and Q, the last four of them digits (ISO 3779), a letter
# among them; one more on either side: in MessagePack lengths and numbers stand beside a text.
VIN: Final = re.compile(
    rb"(?=[0-9]{0,16}[A-Z])[A-HJ-NPR-Z0-9]{13}[0-9]{4}[A-Z0-9]?(?![A-Z0-9])", re.IGNORECASE
)


class KeptRefusal(msgspec.Struct, frozen=True, array_like=True):
    """What was refused of a frame; without `code` of a refusal: the frame as a whole."""

    code: str
    field: str
    detail: str
    seq: int | None


class KeptFrame(msgspec.Struct, frozen=True, array_like=True):
    """`readings`: the first of what was understood, as records of the log. `received_at` in
    microseconds since 1970 is also that of its readings, by which storage is asked for them.
    """

    received_at: int
    format: str
    raw: bytes
    raw_size: int
    readings: bytes
    understood: int
    refused: int
    refusals: list[KeptRefusal]
    problem: KeptRefusal | None = None


Record = VehicleReading | MeterReading

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(KeptFrame)
_records = msgspec.msgpack.Decoder(list[Record])


def keep(
    frame: str | bytes,
    form: str,
    received_us: int,
    *,
    records: Sequence[bytes] = (),
    refused: Sequence[RefusedItem] = (),
    problem: KeptRefusal | None = None,
) -> KeptFrame:
    """The frame within its bounds. Not yet masked: of many only the last are worth that."""
    raw = frame[: RAW_BYTES + _LONGEST_SECRET]
    shown: list[bytes] = []
    size = 0
    for record in records[:READINGS]:
        size += len(record)
        if size > READINGS_BYTES:
            break
        shown.append(record)
    return KeptFrame(
        received_us,
        form,
        raw.encode(errors="replace") if isinstance(raw, str) else bytes(raw),
        len(frame),
        array_header(len(shown)) + b"".join(shown),
        len(records),
        len(refused),
        [
            KeptRefusal(item.refusal.code, item.refusal.field, item.refusal.detail, item.seq)
            for item in refused[:REFUSALS]
        ],
        problem,
    )


def encoded(frame: KeptFrame) -> bytes:
    """As it lies in Redis: without what looks like a VIN or a secret."""
    return _encode(
        msgspec.structs.replace(
            frame,
            raw=masked(frame.raw)[:RAW_BYTES],
            readings=masked(frame.readings),
            refusals=[_masked_refusal(each) for each in frame.refusals],
            problem=_masked_refusal(frame.problem) if frame.problem else None,
        )
    )


def _masked_refusal(refusal: KeptRefusal) -> KeptRefusal:
    return KeptRefusal(
        refusal.code,
        masked_text(refusal.field)[:_FIELD],
        masked_text(refusal.detail)[:_DETAIL],
        refusal.seq,
    )


def decoded(payload: bytes) -> KeptFrame | None:
    """None where another version of the product wrote it."""
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError:
        return None


def readings_of(frame: KeptFrame) -> list[Record]:
    try:
        return _records.decode(frame.readings)
    except (msgspec.DecodeError, ValueError):
        return []


def masked(data: bytes) -> bytes:
    """As long as it was, so that what frames it still fits."""
    data = SECRET.sub(lambda found: found[1] + b"*" * len(found[2]), data)
    return VIN.sub(lambda found: b"*" * len(found[0]), data)


def masked_text(text: str) -> str:
    return masked(text.encode(errors="replace")).decode()
