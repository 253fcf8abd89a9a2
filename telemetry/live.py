"""The live route: what the writer has stored goes to the rooms of the dashboards.

Called with every batch of the stored log (`TELEMETRY_ROUTES`). A batch becomes one message
per fleet, one patch per vehicle, encoded once here for however many dashboards there are.
A batch delivered twice does no harm: patches merge idempotently.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import redis
from channels.layers import get_channel_layer
from django.conf import settings

from fleet.models import Fleet, Meter, Vehicle
from telemetry.patches import encoded, of_readings
from telemetry.records import MeterReading, Reading, VehicleReading
from telemetry.rooms import counter_of, group_of

ADDRESS_SECONDS = 5.0
"""How long a vehicle's fleet is remembered: a move shows within that time."""

Address = tuple[int, int, str]
"""Tenant id, fleet id, reference."""
Room = tuple[int, int]
"""Tenant id, fleet id."""


class AddressBook:
    """Where a vehicle's or a meter's patches go; remembers answers for a few seconds.

    Things that do not exist (any more) are remembered as None. Bounded by the number of
    things that were heard of within `ADDRESS_SECONDS`.
    """

    def __init__(self, model: type[Vehicle] | type[Meter]) -> None:
        self.model = model
        self.known: dict[int, Address | None] = {}
        self.fresh_until = 0.0

    def find(self, ids: Iterable[int]) -> dict[int, Address]:
        now = time.monotonic()
        if now >= self.fresh_until:
            self.known, self.fresh_until = {}, now + ADDRESS_SECONDS
        wanted = set(ids)
        if missing := wanted - self.known.keys():
            self.known.update(dict.fromkeys(missing))
            rows = self.model.unscoped.filter(pk__in=missing, archived_at=None).values_list(
                "pk", "tenant_id", "fleet_id", "reference"
            )
            self.known.update({pk: (tenant, fleet, ref) for pk, tenant, fleet, ref in rows})
        return {pk: address for pk in wanted if (address := self.known[pk])}


class Publisher:
    """Sends batches to the rooms. One per thread: it owns an event loop and connections."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.redis = redis.Redis.from_url(settings.REDIS_URL)
        self.layer = get_channel_layer()
        self.vehicles = AddressBook(Vehicle)
        self.meters = AddressBook(Meter)

    def publish(self, readings: Iterable[Reading]) -> int:
        """Send a batch; returns the number of rooms it went to."""
        vehicle_readings: dict[int, list[Reading]] = defaultdict(list)
        meter_readings: dict[int, list[Reading]] = defaultdict(list)
        for reading in readings:
            if isinstance(reading, VehicleReading):
                vehicle_readings[reading.vehicle_id].append(reading)
            elif isinstance(reading, MeterReading):
                meter_readings[reading.meter_id].append(reading)
        rooms: dict[Room, dict[str, list[tuple[str, bytes]]]] = defaultdict(
            lambda: {"vehicles": [], "meters": []}
        )
        for kind, book, things in (
            ("vehicles", self.vehicles, vehicle_readings),
            ("meters", self.meters, meter_readings),
        ):
            for pk, (tenant_id, fleet_id, reference) in book.find(things).items():
                patch = encoded(of_readings(things[pk], reference))
                rooms[tenant_id, fleet_id][kind].append((reference, patch))
        if rooms:
            self.runner.run(self._send(rooms, self._next_numbers(list(rooms))))
        return len(rooms)

    def _next_numbers(self, rooms: list[Room]) -> list[int]:
        pipeline = self.redis.pipeline(transaction=False)
        for tenant_id, fleet_id in rooms:
            pipeline.incr(counter_of(tenant_id, fleet_id))
        numbers: list[int] = pipeline.execute()
        return numbers

    async def _send(self, rooms: dict[Room, dict[str, Any]], numbers: list[int]) -> None:
        for ((tenant_id, fleet_id), patches), seq in zip(rooms.items(), numbers, strict=True):
            await self.layer.group_send(
                group_of(tenant_id, fleet_id),
                {"type": "telemetry.update", "fleet": fleet_id, "seq": seq, **patches},
            )


class PublishRoute:
    """The handler that `TELEMETRY_ROUTES` names."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def __call__(self, readings: list[Reading]) -> None:
        """Raises what Redis raises: the batch is then delivered again."""
        if not hasattr(self._of_thread, "publisher"):
            self._of_thread.publisher = Publisher()
        self._of_thread.publisher.publish(readings)

    def on_gap(self, partition: int) -> None:
        """Entries were dropped before they could be published, of whom cannot be told: count
        a message that never came in every room, and each dashboard asks for a snapshot."""
        client = redis.Redis.from_url(settings.REDIS_URL)
        pipeline = client.pipeline(transaction=False)
        rooms = Fleet.unscoped.filter(archived_at=None).values_list("tenant_id", "pk")
        for tenant_id, fleet_id in rooms.iterator(chunk_size=1000):
            pipeline.incr(counter_of(tenant_id, fleet_id))
        pipeline.execute()
        client.close()


publish = PublishRoute()
