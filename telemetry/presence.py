"""Which connection of a device counts: the newest, with a live credential, and not for ever idle.

The newest connection writes itself into a hash in Redis (see `telemetry.connected`). A process
hears of its devices on one channel, whatever their number: that a credential was revoked, or
that another process has let in a newer connection. Each message is a hint to look, as any may
be stale; and as any may be lost, each process also looks now and then: one round trip to Redis
and two queries for all of its sockets, however many.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError
from redis.exceptions import RedisError

from fleet.models import Device
from fleet.revocation import CREDENTIAL_REVOKED, DEVICES, RECONNECT
from fleet.selectors import usable_device_ids
from telemetry import connected, ingest
from telemetry.loops import cancelled
from telemetry.streams import async_client

if TYPE_CHECKING:
    from telemetry.consumers.device import DeviceConsumer

log = structlog.get_logger(__name__)

SUPERSEDED = 4409
IDLE = 4408
_TOLD_S: Final = 10.0
"""How long what was told of a device is kept for a connection that is just being let in."""
_LEAVING_S: Final = 0.05
"""Connections that end within so long of each other are forgotten together."""


class Presence:
    """The open device sockets of this process (of one event loop)."""

    def __init__(self) -> None:
        self._open: dict[int, list[DeviceConsumer]] = {}
        self._told: dict[int, float] = {}
        self._suspects: set[int] = set()
        self._suspected = asyncio.Event()
        self._left: list[tuple[int, str]] = []
        self._forgetting: asyncio.Task[None] | None = None
        self._listening = asyncio.Lock()
        self._channel: str | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._tasks = [
            asyncio.create_task(self._reconcile_now_and_then(), name="device presence"),
            asyncio.create_task(self._look_at_suspects(), name="device suspects"),
        ]

    async def channel(self) -> str:
        """Where this process hears of its devices. Raises RedisError where it cannot."""
        async with self._listening:
            if self._channel is None:
                layer = get_channel_layer()
                channel: str = await layer.new_channel("devices.")
                await layer.group_add(DEVICES, channel)
                self._hearing = asyncio.create_task(self._hear(channel), name="device channel")
                self._channel = channel
            return self._channel

    def enter(self, consumer: DeviceConsumer) -> None:
        """Count the connection in; of the device's others in this process the newest stays."""
        device_id = consumer.opening.device_id
        connections = self._open.setdefault(device_id, [])
        connections.append(consumer)
        newest = max(other.opening.number for other in connections)
        for other in connections:
            if other.opening.number < newest:
                other.shut_soon(SUPERSEDED, "a newer connection of the device is open")
        if time.monotonic() - self._told.get(device_id, -_TOLD_S) < _TOLD_S:
            self._suspect(device_id)

    def leave(self, consumer: DeviceConsumer) -> None:
        opening = consumer.opening
        connections = self._open.get(opening.device_id, [])
        if consumer not in connections:
            return
        connections.remove(consumer)
        if not connections:
            del self._open[opening.device_id]
        self._left.append((opening.device_id, opening.connection))
        if self._forgetting is None or self._forgetting.done():
            self._forgetting = asyncio.create_task(self._forget_those_who_left())

    @property
    def consumers(self) -> list[DeviceConsumer]:
        return [consumer for connections in self._open.values() for consumer in connections]

    async def check(self, consumers: Collection[DeviceConsumer]) -> None:
        """Close those of these sockets that no longer count."""
        present = [c for c in consumers if c in self._open.get(c.opening.device_id, ())]
        if not present:
            return
        ids = [consumer.opening.device_id for consumer in present]
        client: Any = async_client()
        owners = await client.hmget(connected.key(), [str(device_id) for device_id in ids])
        credentials = [consumer.opening.credential_id for consumer in present]
        usable, subjects = await database_sync_to_async(_standing)(ids, credentials)
        for consumer, owner in zip(present, owners, strict=True):
            opening = consumer.opening
            if consumer not in self._open.get(opening.device_id, ()):
                continue
            if owner is None:
                await client.hsetnx(connected.key(), str(opening.device_id), opening.connection)
            elif owner.decode() != opening.connection:
                consumer.shut_soon(SUPERSEDED, "a newer connection of the device is open")
                continue
            if opening.device_id not in usable:
                consumer.shut_soon(CREDENTIAL_REVOKED, "the credential was revoked")
            elif subjects.get(opening.device_id) != opening.subject:
                consumer.shut_soon(RECONNECT, "the device was assigned anew")

    async def close_all(self, code: int, reason: str, *, timeout_s: float) -> None:
        """End every connection of the process in order: stop reading, make durable what was
        taken in, acknowledge it, close.
        """
        consumers = self.consumers
        for consumer in consumers:
            consumer.stop_taking(code, reason)
        await ingest.door().drain(timeout_s)
        closings = [asyncio.create_task(consumer.shut(code, reason)) for consumer in consumers]
        if closings:
            await asyncio.wait(closings, timeout=timeout_s)

    # --- Being told ------------------------------------------------------------------------

    async def _hear(self, channel: str) -> None:
        layer = get_channel_layer()
        while not cancelled():
            message = await layer.receive(channel)
            for device_id in message.get("devices", ()):
                self._told[device_id] = time.monotonic()
                self._suspect(device_id)

    def _suspect(self, device_id: int) -> None:
        if device_id in self._open:
            self._suspects.add(device_id)
            self._suspected.set()

    async def _look_at_suspects(self) -> None:
        """All that came while the last ones were looked at, together."""
        while not cancelled():
            await self._suspected.wait()
            self._suspected.clear()
            suspects, self._suspects = self._suspects, set()
            await self._guarded_check([c for pk in suspects for c in self._open.get(pk, ())])

    # --- Looking now and then --------------------------------------------------------------

    async def _reconcile_now_and_then(self) -> None:
        while not cancelled():
            await asyncio.sleep(settings.TELEMETRY_DEVICE_RECONCILE_S)
            self._close_idle()
            await self._guarded_check(self.consumers)
            recently = time.monotonic() - _TOLD_S
            self._told = {pk: told for pk, told in self._told.items() if told > recently}

    async def _guarded_check(self, consumers: Collection[DeviceConsumer]) -> None:
        try:
            await self.check(consumers)
        except (RedisError, DatabaseError, OSError) as error:
            log.warning("presence_unchecked", error=str(error))
        except Exception:
            log.exception("presence_failed")

    def _close_idle(self) -> None:
        oldest = time.time_ns() // 1000 - settings.TELEMETRY_DEVICE_IDLE_S * 1_000_000
        for consumer in self.consumers:
            if consumer.session.heard_us < oldest:
                consumer.shut_soon(IDLE, "nothing was heard for long")

    async def _forget_those_who_left(self) -> None:
        while self._left:
            await asyncio.sleep(_LEAVING_S)
            left, self._left = self._left, []
            try:
                await connected.forget(left)
            except (RedisError, OSError) as error:
                # They stay in the hash until their devices come back.
                log.warning("departures_not_noted", count=len(left), error=str(error))


def _standing(
    device_ids: list[int], credential_ids: list[int]
) -> tuple[set[int], dict[int, tuple[int | None, int | None]]]:
    usable = usable_device_ids(device_ids, credential_ids)
    rows = Device.unscoped.filter(pk__in=device_ids).values_list("pk", "vehicle_id", "meter_id")
    return usable, {pk: (vehicle_id, meter_id) for pk, vehicle_id, meter_id in rows}


_presences: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Presence] = (
    weakref.WeakKeyDictionary()
)


def presence() -> Presence:
    """The presence of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _presences.get(loop)
    if found is None:
        found = _presences[loop] = Presence()
    return found
