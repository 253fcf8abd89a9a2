"""Rooms of the live stream: one per fleet, with sequence numbers of its own.

Every message into a room takes the next number from a counter in Redis. The channel layer
delivers at most once and two processes may publish into one room, so a reader holds
what it got against the numbers: see `Sequence`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings


def wire_name_of(reference: str) -> str:
    """What a fleet's room is called to clients."""
    return f"fleet:{reference}"


def group_of(tenant_id: int, fleet_id: int) -> str:
    """The channel-layer group of a fleet's room."""
    return f"live.{tenant_id}.fleet.{fleet_id}"


def alerts_group_of(tenant_id: int) -> str:
    """The group of everybody who may see a tenant's alerts: whatever happens to one of them.

    Messages are `{"type": "alert.event", "event": "alert.opened", "alert": {…}}`, at most
    once and without numbers: the API has the whole truth.
    """
    return f"live.{tenant_id}.alerts"


def counter_of(tenant_id: int, fleet_id: int) -> str:
    """The Redis key that counts a room's messages; its tag keeps it in one slot."""
    return f"{settings.REDIS_PREFIX}:live:seq:{{{tenant_id}.{fleet_id}}}"


@dataclass(slots=True)
class Sequence:
    """Which of a room's messages are accounted for: all up to `last`, and those `ahead`.

    `last` is None until a snapshot has said where to begin.
    """

    last: int | None = None
    ahead: set[int] = field(default_factory=set)

    def take(self, seq: int) -> bool:
        """Note a message; False if it is covered already."""
        if (self.last is not None and seq <= self.last) or seq in self.ahead:
            return False
        self.ahead.add(seq)
        self._close_up()
        return True

    def covered_up_to(self, seq: int) -> None:
        """A snapshot read after message `seq` contains it and all before it."""
        self.last = seq if self.last is None else max(self.last, seq)
        self.ahead = {number for number in self.ahead if number > self.last}
        self._close_up()

    def forget(self) -> None:
        """The counter began anew: nothing that was counted means anything now."""
        self.last = None
        self.ahead.clear()

    def _close_up(self) -> None:
        while self.last is not None and self.last + 1 in self.ahead:
            self.last += 1
            self.ahead.discard(self.last)

    @property
    def broken(self) -> bool:
        """A message came, and one before it did not."""
        return self.last is not None and bool(self.ahead)
