"""What a dashboard has been sent and what it still has to be told. Pure.

A client acknowledges updates. While `WINDOW` of them are unacknowledged, no further round of
updates begins; what comes is merged per room into one update that waits: one patch per vehicle,
so that what waits is bounded by the number of vehicles, however long the client takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from telemetry.patches import Patch, decoded, encoded, merged

WINDOW = 4
IMPATIENT_AFTER_S = 3.0
"""A client that never acknowledges is sent one merged update in this many seconds."""

Raw = tuple[str, bytes]
"""Reference and encoded patch."""


@dataclass(slots=True)
class Window:
    """Counts the numbered messages in flight to one client."""

    sent: int = 0
    acknowledged: int = 0
    last_sent_at: float = 0.0

    def open(self, now: float) -> bool:
        """May another numbered message go out? `now`: monotonic seconds."""
        in_flight = self.sent - self.acknowledged
        return in_flight < WINDOW or now - self.last_sent_at >= IMPATIENT_AFTER_S

    def next_number(self, now: float) -> int:
        self.sent += 1
        self.last_sent_at = now
        return self.sent

    def acknowledge(self, number: int) -> bool:
        """Everything up to `number` has arrived; False if it was never sent."""
        if not 0 <= number <= self.sent:
            return False
        self.acknowledged = max(self.acknowledged, number)
        return True


@dataclass(slots=True)
class Waiting:
    """The merged update that waits for a room."""

    vehicles: dict[str, bytes] = field(default_factory=dict)
    meters: dict[str, bytes] = field(default_factory=dict)

    def add(self, vehicles: list[Raw], meters: list[Raw]) -> None:
        for held, patches in ((self.vehicles, vehicles), (self.meters, meters)):
            for reference, patch in patches:
                before = held.get(reference)
                held[reference] = _merged(before, patch) if before else patch

    def __bool__(self) -> bool:
        return bool(self.vehicles or self.meters)


def _merged(before: bytes, patch: bytes) -> bytes:
    both: Patch = merged(decoded(before), decoded(patch))
    return encoded(both)
