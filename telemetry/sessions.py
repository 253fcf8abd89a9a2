"""One connected device: what it has in flight, and what it is owed.

The socket consumer hands frames in and gets messages out; nothing here knows ASGI.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Final

from telemetry import edge_metrics as metrics
from telemetry.adapters.decoded import RefusedItem
from telemetry.adapters.telemetry_v1 import FrameTooLarge, Reader
from telemetry.ingest import Door, Lane, Ticket
from telemetry.refusals import Source
from telemetry.validate import Refusal, RefusalCode

MAX_FRAME: Final = 1024 * 1024
"""Bytes of a frame (characters of a text frame)."""

_NOTHING: Final[list[RefusedItem]] = []


class Close(Exception):
    """The connection is to be closed with this code of the protocol."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Allowance:
    """A token bucket: `rate` a second, `burst` at once."""

    def __init__(self, rate: int, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._filled = time.monotonic()

    def spend(self, count: int) -> bool:
        """Whether there was still enough; the clock is looked at only when there is not."""
        self._left -= count
        if self._left >= 0:
            return True
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._filled) * self._rate)
        self._filled = now
        return self._left >= 0


class DeviceSession:
    """Turns frames into tickets, and tickets that have become durable into answers."""

    def __init__(
        self,
        door: Door,
        reader: Reader,
        source: Source,
        partition: int,
        *,
        readings: Allowance,
        refusals: Allowance,
        window: int,
    ) -> None:
        self.in_flight = 0
        self.heard_us = time.time_ns() // 1000
        self.tick = -1
        self._door = door
        self._inspector = door.inspector
        self._reader = reader
        self._source = source
        self._lane = door.lanes[partition]
        self._partition = partition
        self._readings = readings
        self._refusals = refusals
        self._window = window
        self._through = -1
        self._acknowledged = -1
        self._owed: deque[tuple[Lane, int, int, int, list[RefusedItem]]] = deque()

    @property
    def congested(self) -> bool:
        """Whether the socket is not to be read for now."""
        return self.in_flight > self._window or self._lane.full

    @property
    def blocked(self) -> bool:
        """Whether it is the server's fault: the log is full, or Redis is away."""
        return self._lane.full or self._door.quarantine_lane.blocked

    def take(self, frame: str | bytes) -> None:
        """Take a frame in. Raises Close where the device went too far."""
        now_us = time.time_ns() // 1000
        self.heard_us = now_us
        if len(frame) > MAX_FRAME:
            self._refuse_frame(frame, now_us)
        try:
            records, refused, seq, through = self._reader.read(frame, now_us)
        except FrameTooLarge:
            self._refuse_frame(frame, now_us)
        count = len(records)
        if not self._readings.spend(count):
            raise self.ended_by(frame, 4429, "too many readings a second")
        before = self._through
        if through is not None:
            if through <= before:
                metrics.REGRESSIONS.inc()
            else:
                self._through = through
        if records:
            device_id = self._source.device_id
            ticket = self._door.accept(self._partition, records, device_id=device_id, seq=seq)
            self._owe(ticket, count, before if refused else self._through, _NOTHING)
        if refused:
            if not self._refusals.spend(len(refused)):
                raise self.ended_by(frame, 4429, "too many refused readings")
            ticket = self._door.refuse(self._source, refused, now_us)
            self._owe(ticket, len(refused), self._through, refused)
        if self._inspector.devices:
            self._show(frame, now_us, records=records, refused=refused)

    def _owe(self, ticket: Ticket, count: int, through: int, refused: list[RefusedItem]) -> None:
        self._owed.append((*ticket, count, through, refused))
        self.in_flight += count

    def _refuse_frame(self, frame: str | bytes, now_us: int) -> None:
        raw = frame.encode(errors="replace") if isinstance(frame, str) else bytes(frame)
        refusal = Refusal(RefusalCode.TOO_LARGE, "", f"a frame of {len(raw)} bytes")
        item = RefusedItem.of(refusal, raw)
        self._door.refuse(self._source, [item], now_us)
        self._show(raw, now_us, refused=[item])
        raise Close(4413, "frame too large")

    def ended_by(self, frame: str | bytes, code: int, reason: str) -> Close:
        """How to close on a frame that is not even answered for; whoever looks sees it."""
        self._show(frame, time.time_ns() // 1000, problem=(f"close_{code}", reason))
        return Close(code, reason)

    def _show(self, frame: str | bytes, now_us: int, **answer: Any) -> None:
        source = self._source
        self._inspector.keep(source.device_id, frame, source.adapter.name, now_us, **answer)

    def settle(self) -> list[dict[str, Any]]:
        """Messages for what has become durable since: refusals, then the acknowledgement."""
        messages: list[dict[str, Any]] = []
        through = self._acknowledged
        owed = self._owed
        while owed and owed[0][0].durable >= owed[0][1]:
            _, _, count, through, refused = owed.popleft()
            self.in_flight -= count
            messages += map(rejection, refused)
        if through > self._acknowledged:
            self._acknowledged = through
            messages.append({"type": "ack", "seq": through})
        return messages


def rejection(item: RefusedItem) -> dict[str, Any]:
    refusal = item.refusal
    return {
        "type": "reject",
        "seq": item.seq,
        "code": refusal.code,
        "field": refusal.field,
        "detail": refusal.detail,
    }
