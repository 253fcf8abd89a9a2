"""What the quarantine log carries: one refusal with all that a replay of it needs. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from telemetry.adapters.decoded import Adapter, RefusedItem


class RefusedFrame(msgspec.Struct, frozen=True, array_like=True):
    """One refused item or frame, positional: a log outlives a deployment.

    `received_at` in microseconds since 1970. `tenant_id` is None where none could be told.
    """

    tenant_id: int | None
    device_id: int | None
    adapter: str
    adapter_version: int
    code: str
    field: str
    detail: str
    seq: int | None
    raw: bytes
    raw_size: int
    received_at: int


class Source(NamedTuple):
    """Who sent what was refused, and by which adapter it was read."""

    tenant_id: int | None
    device_id: int | None
    adapter: Adapter


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(list[RefusedFrame])


def encode_refused(source: Source, item: RefusedItem, received_us: int) -> bytes:
    """One record of the quarantine log."""
    refusal = item.refusal
    return _encode(
        RefusedFrame(
            source.tenant_id,
            source.device_id,
            source.adapter.name,
            source.adapter.version,
            refusal.code,
            refusal.field,
            refusal.detail,
            item.seq,
            item.raw,
            item.raw_size,
            received_us,
        )
    )


def decode_refused(payload: bytes) -> list[RefusedFrame]:
    """The refusals of an entry. Raises msgspec.DecodeError where it holds none."""
    return _decoder.decode(payload)
