"""Writing a reading into a log without building it first.

A record of `telemetry.records` is a positional msgpack array. At the edge its values are
already encoded (their digest is the reading's identity), and what stands before them changes
little from one reading of a device to the next: so a record is put together from bytes, and
nothing is encoded twice. `decode_readings` gives back what the Structs themselves would.
Pure.
"""

from __future__ import annotations

import struct
from typing import Final, Literal, NamedTuple

import msgspec

from telemetry.records import SCHEMA_VERSION, MeterReading, VehicleReading

Kind = Literal["v", "m"]

_encode = msgspec.msgpack.encode
# Device time, time of receipt (int 64) and reading id (int 32), as msgpack writes them.
_pack_moment = struct.Struct(">BqBqBi").pack
_INT64: Final = 0xD3
_INT32: Final = 0xD2

_FIELDS: Final = {
    "v": len(VehicleReading.__struct_fields__) + 1,
    "m": len(MeterReading.__struct_fields__) + 1,
}


def array_header(length: int) -> bytes:
    """The msgpack header of an array."""
    if length < 16:
        return bytes((0x90 | length,))
    if length < 65_536:
        return b"\xdc" + length.to_bytes(2, "big")
    return b"\xdd" + length.to_bytes(4, "big")


class Speaker(NamedTuple):
    """On whose behalf readings come, and what they are about.

    `device_id` is None where an integration's token sent them.
    """

    tenant_id: int
    device_id: int | None
    kind: Kind
    subject_id: int


class Envelope:
    """Makes the records of one speaker under one protocol."""

    def __init__(self, speaker: Speaker, protocol: str) -> None:
        self.speaker = speaker
        head = (speaker.kind, SCHEMA_VERSION, *speaker[:2], speaker.subject_id)
        self._head = array_header(_FIELDS[speaker.kind]) + b"".join(map(_encode, head))
        self._protocol = _encode(protocol)

    def record(self, time_us: int, received_us: int, reading_id: int, content: bytes) -> bytes:
        """One record. `content`: the canonical content, which closes it."""
        moment = _pack_moment(_INT64, time_us, _INT64, received_us, _INT32, reading_id)
        return b"".join((self._head, moment, self._protocol, content))
