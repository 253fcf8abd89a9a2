"""The one door: everything that comes in passes here, and leaves as durable or refused.

Readings of all connections of a process gather for a few milliseconds and go to the logs in
one round trip, one entry a partition. A lane is what waits for one partition; it is first in,
first out, so each vehicle's order holds, and a partition that is full stops nobody else.
Where an append fails the lane keeps what it has and tries again until it succeeds: what is
not durable is not acknowledged, and while a lane is blocked its devices are not read.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, Protocol

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from telemetry import edge_metrics as metrics
from telemetry import streams
from telemetry.adapters.decoded import RefusedItem
from telemetry.envelope import array_header
from telemetry.inspection.inspector import Inspector
from telemetry.loops import cancelled
from telemetry.recent import Recent
from telemetry.refusals import Source, encode_refused
from telemetry.streams import Append, PartitionedLog

log = structlog.get_logger(__name__)

GATHER_S: Final = 0.004
"""Least time between the starts of two appends. An idle door appends at once."""
TICK_S: Final = 0.05
"""How often the acknowledgements of a busy process are sent."""
FEW: Final = 32
"""Up to so many waiting connections each is answered right after its append."""
ENTRY_READINGS: Final = 2000
"""Readings of one log entry, where a single submission does not hold more."""
LANE_BYTES: Final = 16 * 1024 * 1024
"""What one lane holds in memory before the door counts as full."""
SLOWEST_RETRY_S: Final = 2.0


Ticket = tuple["Lane", int]
"""A place in a lane: what was submitted is durable once `lane.durable` has come this far."""


class Follower(Protocol):
    """A connection that waits for its readings to become durable."""

    def settle_soon(self) -> None:
        """Send what can be sent by now, without blocking the caller."""


class Lane:
    """What waits for one partition. Positions count records since the process began."""

    def __init__(self, target: PartitionedLog, partition: int) -> None:
        self.log = target
        self.partition = partition
        self.submitted = 0
        self.durable = 0
        self.blocked = False
        self.waiting_bytes = 0
        self.retry_at = 0.0
        self._retry_after = 0.05
        self._waiting: deque[tuple[bytes, int, int | None, int | None]] = deque()
        self._in_flight: Append | None = None
        self._in_flight_bytes = 0

    @property
    def full(self) -> bool:
        return self.blocked or self.waiting_bytes > LANE_BYTES

    @property
    def busy(self) -> bool:
        return self.durable < self.submitted

    def put(self, records: bytes, count: int, device_id: int | None, seq: int | None) -> int:
        """Queue `count` encoded records; `seq` is the highest of theirs. Returns the position."""
        self._waiting.append((records, count, device_id, seq))
        self.waiting_bytes += len(records)
        self.submitted += count
        return self.submitted

    def next_append(self, now: float) -> Append | None:
        """What to append next: first of all what failed the last time, unchanged."""
        if now < self.retry_at:
            return None
        if self._in_flight is None and self._waiting:
            self._in_flight = self._gather()
        return self._in_flight

    def _gather(self) -> Append:
        bodies: list[bytes] = []
        seqs: dict[int, int] = {}
        readings = 0
        while self._waiting and readings + self._waiting[0][1] <= max(
            ENTRY_READINGS, self._waiting[0][1]
        ):
            records, count, device_id, seq = self._waiting.popleft()
            bodies.append(records)
            readings += count
            if device_id is not None and seq is not None:
                seqs[device_id] = seq
        payload = b"".join(bodies)
        self._in_flight_bytes = len(payload)
        header = array_header(readings)
        return Append(self.log, self.partition, header + payload, readings, seqs)

    def succeeded(self) -> None:
        done = self._in_flight
        assert done is not None  # noqa: S101  (only what was appended can have succeeded)
        self._in_flight = None
        self.waiting_bytes -= self._in_flight_bytes
        self.durable += done.readings
        self.blocked = False
        self._retry_after = 0.05

    def failed(self, now: float) -> None:
        self.blocked = True
        self.retry_at = now + self._retry_after
        self._retry_after = min(2 * self._retry_after, SLOWEST_RETRY_S)


class Door:
    """The door of one event loop."""

    def __init__(self) -> None:
        self.lanes = [Lane(streams.INGRESS, n) for n in range(settings.TELEMETRY_PARTITIONS)]
        self.quarantine_lane = Lane(streams.QUARANTINE, 0)
        self.tick = 0
        self.recent = Recent()
        self.inspector = Inspector()
        self._followers: set[Follower] = set()
        self._wake = asyncio.Event()
        self._progress: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="ingest door")

    def accept(
        self,
        partition: int,
        records: Sequence[bytes],
        *,
        device_id: int | None = None,
        seq: int | None = None,
    ) -> Ticket:
        """Take good records of one partition in; nothing is durable before the ticket says so."""
        lane = self.lanes[partition]
        body = records[0] if len(records) == 1 else b"".join(records)
        position = lane.put(body, len(records), device_id, seq)
        self._wake.set()
        return lane, position

    def refuse(self, source: Source, items: Sequence[RefusedItem], received_us: int) -> Ticket:
        """Send refusals to the quarantine; they may be answered once the ticket is durable."""
        for item in items:
            metrics.REFUSED.labels(item.refusal.code).inc()
        body = b"".join([encode_refused(source, item, received_us) for item in items])
        position = self.quarantine_lane.put(body, len(items), None, None)
        self._wake.set()
        return self.quarantine_lane, position

    def follow(self, follower: Follower) -> None:
        """Have a connection told when there may be something to acknowledge."""
        self._followers.add(follower)

    def unfollow(self, follower: Follower) -> None:
        self._followers.discard(follower)

    async def progress(self, timeout_s: float) -> bool:
        """Wait for the next completed append; False where none came in time."""
        done, _ = await asyncio.wait([self._progress], timeout=timeout_s)
        return bool(done)

    async def durable(self, tickets: Iterable[Ticket], timeout_s: float) -> bool:
        """Wait until all of it is durable; False after `timeout_s`, when it may yet become so."""
        deadline = time.monotonic() + timeout_s
        for lane, position in tickets:
            while lane.durable < position:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                await self.progress(left)
        return True

    async def drain(self, timeout_s: float) -> bool:
        """Wait until everything taken in is durable."""
        lanes = [*self.lanes, self.quarantine_lane]
        return await self.durable([(lane, lane.submitted) for lane in lanes], timeout_s)

    # --- The loop ------------------------------------------------------------------------

    async def _run(self) -> None:
        lanes = [*self.lanes, self.quarantine_lane]
        started = ticked = 0.0
        while not cancelled():
            try:
                if not self._followers and not any(lane.busy for lane in lanes):
                    self._wake.clear()
                    await self._wake.wait()
                pause = started + GATHER_S - time.monotonic()
                if pause > 0:
                    await asyncio.sleep(pause)
                started = time.monotonic()
                if not await self._append(lanes, started):
                    await self._woken(TICK_S)
                if time.monotonic() - ticked >= TICK_S:
                    ticked = time.monotonic()
                    self.tick += 1
                    self._tell_followers()
                elif len(self._followers) <= FEW:
                    self._tell_followers()
            except Exception:
                # The door must outlive whatever happens to one append.
                log.exception("ingest_door_failed")
                await asyncio.sleep(1)

    async def _woken(self, timeout_s: float) -> None:
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()

    def _tell_followers(self) -> None:
        followers, self._followers = self._followers, set()
        for follower in followers:
            follower.settle_soon()

    async def _append(self, lanes: Sequence[Lane], now: float) -> bool:
        """One round trip for every lane that has something to append. False: there was none."""
        due = [(lane, append) for lane in lanes if (append := lane.next_append(now))]
        if not due:
            return False
        try:
            with metrics.APPEND_SECONDS.time():
                outcomes = await streams.append_many_async([append for _, append in due])
        except (RedisError, OSError, TimeoutError) as error:
            outcomes = [error if isinstance(error, RedisError) else RedisError(str(error))] * len(
                due
            )
        now = time.monotonic()
        appended = 0
        for (lane, append), outcome in zip(due, outcomes, strict=True):
            if isinstance(outcome, str):
                if lane.blocked:
                    log.info("lane_unblocked", lane=lane.log.name, partition=lane.partition)
                lane.succeeded()
                appended += append.readings if lane is not self.quarantine_lane else 0
            else:
                self._note_failure(lane, outcome)
                lane.failed(now)
        metrics.ACCEPTED.inc(appended)
        metrics.BATCH_READINGS.observe(appended)
        metrics.BLOCKED_LANES.set(sum(lane.blocked for lane in lanes))
        self._progress.set_result(None)
        self._progress = asyncio.get_running_loop().create_future()
        return True

    def _note_failure(self, lane: Lane, outcome: RedisError | None) -> None:
        reason = "full" if outcome is None else "redis"
        metrics.APPENDS_FAILED.labels(reason).inc()
        if not lane.blocked:
            log.warning(
                "lane_blocked",
                lane=lane.log.name,
                partition=lane.partition,
                reason=reason,
                error=str(outcome or ""),
            )


_doors: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Door] = weakref.WeakKeyDictionary()


def door() -> Door:
    """The door of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _doors.get(loop)
    if found is None:
        found = _doors[loop] = Door()
    return found
