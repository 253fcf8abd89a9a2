"""The logs: entries whole and in order, bytes counted rightly, nothing taken and then gone.

Fit for a log in use. Each step reads a bounded number of entries, and all that it compares in
one transaction of Redis; entries that leave at the old end meanwhile are left out of the sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from telemetry import routes
from telemetry.streams import (
    ENTRY_OVERHEAD,
    INGRESS,
    QUARANTINE,
    STORED,
    PartitionedLog,
    sync_client,
)
from telemetry.verification.difference import Difference

ENTRIES_AT_ONCE = 1000
PENDING_AT_ONCE = 10_000
TRIES = 5
"""Walks of a log until one of them meets no entry that leaves from its middle."""

Position = tuple[int, int]
_FIELDS = {b"b", b"n"}
_BEGIN: Position = (0, 0)


def check(compared: dict[str, int]) -> Iterator[Difference]:
    """Every partition of every log."""
    for log in (INGRESS, STORED, QUARANTINE):
        for partition in range(log.partitions):
            yield from _partition(log, partition, compared)


def _partition(
    log: PartitionedLog, partition: int, compared: dict[str, int]
) -> Iterator[Difference]:
    where = f"{log.name}:{partition}"
    groups = log.groups(partition)
    if log is STORED:
        for group in sorted(set(groups) - {route.name for route in routes.declared()}):
            yield Difference("log", f"{where}, group {group}", "declared", "not declared")
    for attempt in range(1, TRIES + 1):
        walk = _Walk(log, partition, groups)
        found = list(walk.differences())
        if walk.was_steady or attempt == TRIES:
            compared["entries"] += walk.entries
            yield from found
            return


@dataclass(frozen=True)
class _Step:
    """One look at the log, all of one moment."""

    entries: list[tuple[Position, dict[bytes, bytes]]]
    count: int
    bytes: int
    first: Position | None
    dropped: int
    delivered: dict[str, Position]
    pending: dict[str, list[Position]]
    is_last: bool

    @property
    def end(self) -> Position | None:
        """Up to where everything was looked at; None: to the end of the log."""
        ends = [] if self.is_last else [self.entries[-1][0]]
        ends += [ids[-1] for ids in self.pending.values() if len(ids) == PENDING_AT_ONCE]
        return min(ends, default=None)


class _Walk:
    """One pass over a partition, from its old end to its new one."""

    def __init__(self, log: PartitionedLog, partition: int, groups: list[str]) -> None:
        self.log, self.partition, self.groups = log, partition, groups
        self.where = f"{log.name}:{partition}"
        self.sizes: list[tuple[Position, int]] = []
        self.entries = 0
        self.was_steady = True
        """Nothing left from the middle of the log, so that its bytes could be summed up."""

    def differences(self) -> Iterator[Difference]:
        after = before = _BEGIN
        while True:
            step = self._step(after)
            end = step.end
            for position, values in step.entries:
                if end is not None and position > end:
                    break
                if position <= before:
                    yield Difference("log", self.where, f"after {before}", str(position))
                if set(values) != _FIELDS:
                    fields = str(sorted(values))
                    yield Difference("log", f"{self.where} {_id(position)}", "b, n", fields)
                size = len(next(iter(values.values()))) + ENTRY_OVERHEAD
                self.sizes.append((position, size))
                self.entries += 1
                before = position
            yield from self._pending(step, end)
            if end is None:
                yield from self._bytes(step)
                return
            after = end

    def _step(self, after: Position) -> _Step:
        stream, byte_count, _, dropped = self.log.keys(self.partition)
        beyond = f"({_id(after)}"
        pipeline = sync_client().pipeline(transaction=True)
        pipeline.xrange(stream, beyond, "+", count=ENTRIES_AT_ONCE)
        pipeline.xlen(stream)
        pipeline.get(byte_count)
        pipeline.xrange(stream, "-", "+", count=1)
        pipeline.get(dropped)
        if self.groups:
            pipeline.xinfo_groups(stream)
        for group in self.groups:
            pipeline.xpending_range(stream, group, beyond, "+", PENDING_AT_ONCE)
        entries, count, size, first, drops, *rest = pipeline.execute()
        told: list[Any] = rest[0] if rest else []
        return _Step(
            entries=[(_position(entry_id), values) for entry_id, values in entries],
            count=count,
            bytes=int(size or 0),
            first=_position(first[0][0]) if first else None,
            dropped=int(drops or 0),
            delivered={
                group["name"].decode(): _position(group["last-delivered-id"]) for group in told
            },
            pending={
                group: [_position(row["message_id"]) for row in rows]
                for group, rows in zip(self.groups, rest[1:], strict=True)
            },
            is_last=len(entries) < ENTRIES_AT_ONCE,
        )

    def _pending(self, step: _Step, end: Position | None) -> Iterator[Difference]:
        """What was taken is there until it is acknowledged; and where an acknowledgement
        removes an entry, what is there and was taken has not been acknowledged."""
        there = {position for position, _ in step.entries}
        for group, ids in step.pending.items():
            taken = {position for position in ids if end is None or position <= end}
            # At the bound of a log that drops, the oldest go whoever has them in hand.
            for position in sorted(taken - there) if not step.dropped else ():
                yield Difference(
                    "log", f"{self.where} {_id(position)}", f"in hand of {group}", "not there"
                )
            if self.log.on_full != "refuse":
                continue
            for position in sorted(there - taken):
                if position <= step.delivered[group] and (end is None or position <= end):
                    yield Difference(
                        "log", f"{self.where} {_id(position)}", f"in hand of {group}", "forgotten"
                    )

    def _bytes(self, step: _Step) -> Iterator[Difference]:
        held = [size for position, size in self.sizes if step.first and position >= step.first]
        if len(held) != step.count:
            self.was_steady = False
        elif sum(held) != step.bytes:
            yield Difference("log", f"{self.where}, bytes", str(sum(held)), str(step.bytes))


def _position(entry_id: bytes) -> Position:
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)


def _id(position: Position) -> str:
    return f"{position[0]}-{position[1]}"
