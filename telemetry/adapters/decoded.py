"""What adapters answer with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from telemetry.envelope import Kind
from telemetry.validate import UNDECODABLE, Refusal, Span, explain

RAW_LIMIT: Final = 64 * 1024
"""Bytes of a refused item that are kept."""


class RefusedItem(NamedTuple):
    """One refused item (or a whole frame, where it could not be taken apart).

    `seq` is None where none could be read; `raw` is cut at RAW_LIMIT, `raw_size` is not.
    """

    refusal: Refusal
    seq: int | None
    raw: bytes
    raw_size: int

    @classmethod
    def of(cls, refusal: Refusal, raw: bytes, seq: int | None = None) -> RefusedItem:
        return cls(refusal, seq, bytes(raw[:RAW_LIMIT]), len(raw))


class Addressed(NamedTuple):
    """A good reading that names its subject by the customer's own reference.

    `content` is canonical; `name` is the field that held the reference, as it was sent.
    """

    kind: Kind
    reference: str
    name: str
    time_us: int
    content: bytes


class Adapter(NamedTuple):
    """`read(raw, kind, span)` reads one recorded item again, for a replay.

    `kind` is that of the device that sent it ("v", "m"), None where an integration did; a
    reading whose protocol does not name its subject has an empty `reference`.
    """

    name: str
    protocol: str
    version: int
    read: Callable[[bytes, Kind | None, Span], Addressed | Refusal]


def refuse_item(
    error: BaseException,
    raw: bytes,
    decode: Callable[[bytes], Any],
    aliases: dict[str, str] | None = None,
) -> RefusedItem:
    """Look again at an item that does not fit the schema; `decode` reads it without one."""
    item: object = None
    try:
        item = decode(raw)
    except UNDECODABLE as undecodable:
        error = undecodable
    return RefusedItem.of(explain(error, item, aliases=aliases), raw, seq_of(item))


def seq_of(item: object) -> int | None:
    """The sequence number of an item decoded without a schema, where it has a usable one."""
    seq = item.get("seq") if isinstance(item, dict) else None
    usable = type(seq) is int and 0 <= seq < 2**63
    return seq if usable else None


def split_array(
    raw: bytes, decoder: msgspec.json.Decoder[Any] | msgspec.msgpack.Decoder[Any]
) -> list[bytes]:
    """The items of an array as they came. Raises UNDECODABLE where it is not one."""
    return [bytes(item) for item in decoder.decode(raw)]
