"""One room as one dashboard sees it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from telemetry.consumers.window import Raw, Waiting
from telemetry.rooms import Sequence, wire_name_of

GAP_PATIENCE_S = 1.0
"""Messages of two publishers may overtake each other; longer than this and one is lost."""
SNAPSHOT_EVERY_S = 5.0
"""A room is not read again sooner than this."""


@dataclass(slots=True)
class Room:
    """A fleet's room. `watched` is None for all of the fleet, else the vehicles' references."""

    fleet_id: int
    reference: str
    name: str
    digest: str
    watched: frozenset[str] | None
    sequence: Sequence = field(default_factory=Sequence)
    waiting: Waiting = field(default_factory=Waiting)
    waiting_since: float | None = None
    known: frozenset[str] = frozenset()
    """References of the vehicles and meters that the last snapshot described."""
    told: int = 0
    """The client has been told of everything up to this number."""
    wants_snapshot: bool = True
    read_at: float = -SNAPSHOT_EVERY_S
    broken_since: float | None = None
    counter_before: int | None = None

    @property
    def wire_name(self) -> str:
        return wire_name_of(self.reference)

    def take(self, message: dict[str, Any], now: float) -> None:
        """A message from the room; what it says waits until it can be sent."""
        if not self.sequence.take(message["seq"]):
            return
        vehicles = list(self._watched_of(message["vehicles"]))
        meters = list(message["meters"]) if self.watched is None else []
        self.waiting.add(vehicles, meters)
        if self.waiting and self.waiting_since is None:
            self.waiting_since = now
        if any(reference not in self.known for reference, _ in (*vehicles, *meters)):
            # Not described to the client yet: it came since the last snapshot.
            self.wants_snapshot = True
        if not self.sequence.broken:
            self.broken_since = None
        elif self.broken_since is None:
            self.broken_since = now

    def _watched_of(self, patches: Iterable[Raw]) -> Iterable[Raw]:
        return (p for p in patches if self.watched is None or p[0] in self.watched)

    def snapshot_due(self, now: float) -> bool:
        """A snapshot was asked for, or a gap has stayed open for too long."""
        if self.broken_since is not None and now - self.broken_since >= GAP_PATIENCE_S:
            self.wants_snapshot = True
        return self.wants_snapshot and now - self.read_at >= SNAPSHOT_EVERY_S

    def snapshot_read(self, seq: int, known: frozenset[str], now: float) -> None:
        """A snapshot that covers everything up to `seq` is about to be sent."""
        self.sequence.covered_up_to(seq)
        self.known = known
        self.told = seq
        self.wants_snapshot = False
        self.read_at = now
        self.broken_since = None

    def update_due(self) -> bool:
        described = self.sequence.last is not None
        return described and bool(self.waiting) and not self.sequence.broken

    def told_until(self, now: float) -> float | None:
        """All that was heard before has been sent; None: it takes a snapshot first."""
        if self.wants_snapshot or self.sequence.last is None:
            return None
        return min(at for at in (now, self.waiting_since, self.broken_since) if at is not None)

    def update(self) -> dict[str, Any]:
        """What waits, as the body of an update; nothing waits afterwards."""
        waiting, self.waiting, self.waiting_since = self.waiting, Waiting(), None
        first, self.told = self.told + 1, self.sequence.last or 0
        return {
            "room": self.wire_name,
            "first_seq": first,
            "seq": self.told,
            "vehicles": self._described(waiting.vehicles),
            "meters": self._described(waiting.meters),
        }

    def _described(self, patches: dict[str, bytes]) -> list[msgspec.Raw]:
        return [msgspec.Raw(raw) for reference, raw in patches.items() if reference in self.known]

    def counted(self, counter: int) -> None:
        """Hold the room's counter against what came: the last message of all may be lost,
        with none behind it to show the gap; or Redis lost the counter itself."""
        if self.sequence.last is not None and counter < self.sequence.last:
            self.sequence.forget()
            self.wants_snapshot = True
        elif self.counter_before is not None and (self.sequence.last or 0) < self.counter_before:
            self.wants_snapshot = True
        self.counter_before = counter
