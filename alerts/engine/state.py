"""What the engine remembers, and what it says. Times are microseconds since 1970, UTC.

Positional msgspec Structs: they are stored, and outlive a deployment. Append fields with
defaults, never reorder.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

CLEAR, PENDING, OPEN, CLEARING, HELD_BACK = range(5)
"""Phases of one rule for one subject. HELD_BACK: an entry or exit rule that found its
condition true at the first look; it waits for the condition to end before it may open."""


Samples = tuple[tuple[int, float], ...]
"""(time in µs, value), oldest first: what is kept to derive a value from several readings."""


class Past(msgspec.Struct, frozen=True, array_like=True):
    """A run of the condition among readings that arrived out of order."""

    since: int
    last: int
    recorded: bool


class RuleState(msgspec.Struct, frozen=True, array_like=True):
    """One rule for one subject. None stands for "clear and never been anything else"."""

    phase: int = CLEAR
    since: int = 0
    """Where the condition began to hold; names the episode."""
    seen: int = 0
    """The newest reading in which it held (PENDING)."""
    clear_since: int = 0
    closed_at: int = 0
    late: bool = False
    """Opened by a late reading and not confirmed since: nobody was told."""
    noted: bool = False
    """The open alert already carries a note that a late reading contradicts it."""
    past: Past | None = None


class SubjectState(msgspec.Struct, frozen=True, array_like=True):
    """Everything remembered about one vehicle or meter."""

    mark_time: int = -1
    mark_id: int = 0
    """Newest reading by its own time."""
    arrived: int = -1
    """Newest arrival, by the server's clock."""
    arrived_ids: tuple[tuple[int, int], ...] = ()
    """(time, reading_id) of what arrived at exactly that moment: a frame of many readings."""
    rules: dict[int, RuleState] = {}
    """By rule id; only those that are not simply clear."""
    carried: dict[str, Any] = {}
    """Last value of each field that a rule of several fields needs: readings may be partial."""
    out_of_order: tuple[int, int] | None = None
    """First and last time of late readings that were judged out of their order and are not in
    the record as history has them."""
    derived: dict[str, Samples] = {}
    """By the name of a derived value, what it is derived from."""


Change = Literal["opened", "confirmed", "resolved", "recorded", "annotated", "failed"]


class Transition(msgspec.Struct, frozen=True):
    """One step in an alert's life. The same readings always make the same transitions, so
    (rule, subject, started, change, at) tells a repetition."""

    change: Change
    rule_id: int
    started: int
    """Where the condition began; with rule and subject it names the alert."""
    at: int
    """Time of the reading that caused it."""
    reading_id: int = 0
    received_at: int = 0
    late: bool = False
    """Nobody is told."""
    cause: str = ""
    values: dict[str, Any] = {}
    """What the rule looked at, as the reading had it."""


def pack_state(state: SubjectState) -> bytes:
    return _encoder.encode(state)


def unpack_state(packed: bytes) -> SubjectState:
    return _decoder.decode(packed)


replace = msgspec.structs.replace

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SubjectState)
