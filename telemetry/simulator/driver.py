"""Runs a simulated fleet against a platform: one device socket for each vehicle."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import Counter
from dataclasses import dataclass, field

import structlog

from telemetry.client import Backoff, DeviceClient, Wire
from telemetry.simulator.faults import Rates, dark_for_s, rubbish
from telemetry.simulator.metering import MeterPost
from telemetry.simulator.meters import SimulatedMeter
from telemetry.simulator.reading import Reading, reading_of
from telemetry.simulator.vehicle import Activity, SimulatedVehicle
from telemetry.simulator.weather import ambient_c

log = structlog.get_logger(__name__)

SUBSTEP_S = 1.0
MAX_SUBSTEPS = 30
PARKED_INTERVALS = 12
"""A device reports so many times more rarely while the vehicle is parked."""
PARKED_INTERVAL_MAX_S = 60.0
HANDSHAKES_AT_ONCE = 50
REPORT_EVERY_S = 60.0


@dataclass(slots=True)
class Tracker:
    """A vehicle and the device in it."""

    vehicle: SimulatedVehicle
    client: DeviceClient
    clock_skew_s: int = 0
    stepped_at: float = 0.0
    dark_until: float | None = None


@dataclass(slots=True)
class Pace:
    """`interval_s` between readings; `speedup`: model seconds in one real second."""

    interval_s: float = 5.0
    meter_interval_s: float = 15.0
    speedup: float = 1.0


@dataclass(slots=True)
class Driver:
    """The loop. `run()` ends when `stop` is set; nothing is left running."""

    trackers: list[Tracker]
    meters: list[SimulatedMeter]
    post: MeterPost | None
    rates: Rates
    pace: Pace
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    given_rubbish: int = 0

    async def run(self) -> None:
        for tracker in self.trackers:
            tracker.client.start()
        tasks = [asyncio.create_task(self._report_for_ever())]
        if self.post is not None:
            tasks.append(asyncio.create_task(self._meter_for_ever(self.post)))
        try:
            await self._drive()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(tracker.client.close() for tracker in self.trackers))

    async def _drive(self) -> None:
        now = time.monotonic()
        due: list[tuple[float, int]] = []
        for index, tracker in enumerate(self.trackers):
            tracker.stepped_at = now
            due.append((now + self.pace.interval_s * tracker.vehicle.chance.random(), index))
        heapq.heapify(due)
        while not self.stop.is_set():
            now = time.monotonic()
            while due and due[0][0] <= now:
                at, index = due[0]
                self._advance(self.trackers[index], now)
                # A loop that fell behind leaves a turn out instead of catching up.
                interval = self._interval_s(index)
                heapq.heapreplace(due, (max(at + interval, now + interval / 2), index))
            pause = min(0.1, max(0.005, due[0][0] - time.monotonic())) if due else 0.1
            await asyncio.sleep(pause)

    def _interval_s(self, index: int) -> float:
        activity = self.trackers[index].vehicle.activity
        if activity in (Activity.PARKED, Activity.DELIVERING):
            return max(
                self.pace.interval_s,
                min(self.pace.interval_s * PARKED_INTERVALS, PARKED_INTERVAL_MAX_S),
            )
        return self.pace.interval_s

    def _advance(self, tracker: Tracker, now: float) -> None:
        elapsed, tracker.stepped_at = now - tracker.stepped_at, now
        air = ambient_c(time.time())
        model_s = elapsed * self.pace.speedup
        steps = min(MAX_SUBSTEPS, max(1, round(model_s / SUBSTEP_S)))
        for _ in range(steps):
            tracker.vehicle.step(model_s / steps, air)
        self._lose_or_find_network(tracker, now, elapsed)
        time_ms = int((time.time() + tracker.clock_skew_s) * 1000)
        self._send(tracker, reading_of(tracker.vehicle, time_ms, air))

    def _lose_or_find_network(self, tracker: Tracker, now: float, elapsed: float) -> None:
        chance = tracker.vehicle.chance
        if tracker.dark_until is None:
            if self.rates.loses_network(chance, elapsed):
                tracker.dark_until = now + dark_for_s(chance)
                tracker.client.go_dark()
        elif now >= tracker.dark_until:
            tracker.dark_until = None
            tracker.client.come_back()

    def _send(self, tracker: Tracker, reading: Reading) -> None:
        chance, client = tracker.vehicle.chance, tracker.client
        client.offer(reading)
        self.sent += 1
        if self.rates.duplicate and chance.random() < self.rates.duplicate:
            client.offer(dict(reading))
            self.sent += 1
        if self.rates.garbage and chance.random() < self.rates.garbage:
            self.given_rubbish += 1
            wrong = rubbish(chance, reading)
            if isinstance(wrong, bytes):
                client.send_raw(wrong)
            else:
                client.offer(wrong)

    async def _meter_for_ever(self, post: MeterPost) -> None:
        """Energy is counted every second, and posted every few."""
        counted_at = posted_at = time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for meter in self.meters:
                meter.step((now - counted_at) * self.pace.speedup)
            counted_at = now
            if now - posted_at >= self.pace.meter_interval_s:
                posted_at = now
                await post.report(int(time.time() * 1000))

    async def _report_for_ever(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            log.info("simulating", **self.figures())

    def figures(self) -> dict[str, object]:
        """For the log: what was sent and answered, and how the fleet is."""
        clients = [tracker.client for tracker in self.trackers]
        refused: Counter[str] = Counter()
        for client in clients:
            refused.update(client.tally.rejected)
        return {
            "connected": sum(client.ready for client in clients),
            "stopped": sum(client.stopped is not None for client in clients),
            "sent": self.sent,
            "acknowledged": sum(client.tally.acknowledged for client in clients),
            "held": sum(client.held for client in clients),
            "given_up": sum(client.given_up for client in clients),
            "rubbish": self.given_rubbish,
            "refused": dict(refused),
            "meter_readings": self.post.accepted if self.post else 0,
            "activities": dict(Counter(t.vehicle.activity.value for t in self.trackers)),
        }


def tracker_for(
    vehicle: SimulatedVehicle,
    *,
    url: str,
    token: str,
    backlog: int,
    rates: Rates,
    handshakes: asyncio.Semaphore,
) -> Tracker:
    """A vehicle with its device, not yet connected. It speaks JSON or MessagePack, by chance."""
    wire = vehicle.chance.choice((Wire.JSON, Wire.MSGPACK))
    client = DeviceClient(
        url,
        token,
        wire=wire,
        capacity=backlog,
        backoff=Backoff(1.0, 20.0),
        handshakes=handshakes,
    )
    return Tracker(vehicle, client, clock_skew_s=rates.clock_skew_s(vehicle.chance))
