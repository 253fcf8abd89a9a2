"""What a device holds until the server has answered for it, in order and bounded. Pure."""

from __future__ import annotations

from collections import deque
from typing import Any

Message = dict[str, Any]


class Outbox:
    """Readings not yet answered for: first those in flight, then those never sent.

    `capacity` bounds them; beyond it the oldest unsent ones go, as in a tracker's flash.
    A reading without `seq` is numbered when it is first sent, after `next_seq`.
    """

    def __init__(self, capacity: int) -> None:
        self._held: deque[Message] = deque()
        self._capacity = capacity
        self.in_flight = 0
        """How many at the head were sent on the present connection."""
        self.next_seq = 0
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def unsent(self) -> int:
        return len(self._held) - self.in_flight

    def add(self, reading: Message) -> None:
        if len(self._held) >= self._capacity:
            self._give_up_one()
        self._held.append(reading)

    def take(self, count: int) -> list[Message]:
        """Up to `count` unsent readings, numbered; they are in flight from here on."""
        start = self.in_flight
        end = min(start + count, len(self._held))
        for index in range(start, end):
            if "seq" not in self._held[index]:
                self._held[index] = {"seq": self.next_seq, **self._held[index]}
                self.next_seq += 1
        self.in_flight = end
        return [self._held[index] for index in range(start, end)]

    def answered_up_to(self, seq: int) -> int:
        """Drop what a cumulative acknowledgement covers; returns how many that were."""
        before = len(self._held)
        while self._held and self._held[0].get("seq", seq + 1) <= seq:
            self._held.popleft()
        answered = before - len(self._held)
        self.in_flight = max(0, self.in_flight - answered)
        return answered

    def drop_first(self) -> Message:
        self.in_flight = max(0, self.in_flight - 1)
        return self._held.popleft()

    def connection_lost(self) -> None:
        """Whatever was in flight is to be sent again."""
        self.in_flight = 0

    def _give_up_one(self) -> None:
        if self.unsent:
            del self._held[self.in_flight]
        else:
            self.drop_first()
        self.given_up += 1
