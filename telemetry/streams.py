"""The logs there are, and what is in them.

Two of them carry readings. *ingress* takes bursts off the database: it refuses an append at
its bound and forgets an entry only when the writer has acknowledged it. *stored* tells the
rest of the house what is true: every route is a consumer group of its own, an entry goes once
all of them have acknowledged it, and at the bound the oldest entries go. The *quarantine* log
carries refusals to their table.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Literal

import msgspec
from django.conf import settings

from telemetry.log_scripts import ENTRY_OVERHEAD
from telemetry.partitioned_log import (
    OWNER,
    Append,
    Appended,
    Depth,
    Entry,
    Lag,
    LogFull,
    PartitionedLog,
    append_many,
    append_many_async,
)
from telemetry.records import MeterReading, VehicleReading
from telemetry.redis_clients import async_client, sync_client

__all__ = [
    "ENTRY_OVERHEAD",
    "INGRESS",
    "OWNER",
    "QUARANTINE",
    "STORED",
    "Append",
    "Appended",
    "Depth",
    "Entry",
    "Lag",
    "LogFull",
    "PartitionedLog",
    "append_many",
    "append_many_async",
    "async_client",
    "decode_readings",
    "encode_readings",
    "partition_of",
    "sync_client",
]


def partition_of(kind: Literal["v", "m"], subject_id: int) -> int:
    """The partition of a vehicle ("v") or a meter ("m"); the same in every process."""
    return zlib.crc32(b"%s%d" % (kind.encode(), subject_id)) % settings.TELEMETRY_PARTITIONS


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[VehicleReading | MeterReading])


def encode_readings(readings: Sequence[VehicleReading | MeterReading]) -> bytes:
    """The payload of an entry of the ingress or the stored log."""
    return _encoder.encode(readings)


def decode_readings(payload: bytes) -> list[VehicleReading | MeterReading]:
    """The readings of a payload. Raises msgspec.DecodeError where it is not one."""
    return _decoder.decode(payload)


INGRESS = PartitionedLog(
    "ingress",
    partitions=settings.TELEMETRY_PARTITIONS,
    max_bytes=settings.TELEMETRY_INGRESS_MAX_BYTES,
    on_full="refuse",
)
STORED = PartitionedLog(
    "stored",
    partitions=settings.TELEMETRY_PARTITIONS,
    max_bytes=settings.TELEMETRY_STORED_MAX_BYTES,
    on_full="drop",
)
QUARANTINE = PartitionedLog(
    "quarantine",
    partitions=1,
    max_bytes=settings.TELEMETRY_QUARANTINE_LOG_MAX_BYTES,
    on_full="refuse",
)
