"""Which connection of a device counts: the newest, with a live credential, and not for ever idle.

The newest connection writes itself into a hash in Redis and tells the device's group. Messages
of the channel layer are delivered at most once, so each process also looks now and then: one
round trip to Redis and two queries for all of its sockets, however many.
"""

from __future__ import annotations

import asyncio
import time
import uuid
import weakref
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError
from redis.exceptions import RedisError

from fleet.models import Device
from fleet.revocation import CREDENTIAL_REVOKED, RECONNECT, group_of
from fleet.selectors import usable_device_ids
from telemetry import ingest
from telemetry.loops import cancelled
from telemetry.streams import async_client

if TYPE_CHECKING:
    from telemetry.consumers.device import DeviceConsumer

log = structlog.get_logger(__name__)

SUPERSEDED = 4409
IDLE = 4408


def _owners_key() -> str:
    return f"{settings.REDIS_PREFIX}:device-owners"


class Presence:
    """The open device sockets of this process (of one event loop)."""

    def __init__(self) -> None:
        self._open: dict[DeviceConsumer, str] = {}
        self._task = asyncio.create_task(self._reconcile_now_and_then(), name="device presence")

    async def enter(self, consumer: DeviceConsumer) -> None:
        """Become the connection of the device; older ones, wherever they are, close with 4409."""
        connection = uuid.uuid4().hex
        device_id = consumer.opening.device_id
        self._open[consumer] = connection
        try:
            client: Any = async_client()
            await client.hset(_owners_key(), str(device_id), connection)
            message = {"type": "device.superseded"}
            await get_channel_layer().group_send(group_of(device_id), message)
        except (RedisError, OSError) as error:
            # The next look puts it right: whoever reconnects last stays.
            log.warning("supersede_not_announced", device_id=device_id, error=str(error))

    def leave(self, consumer: DeviceConsumer) -> None:
        self._open.pop(consumer, None)

    @property
    def consumers(self) -> list[DeviceConsumer]:
        return list(self._open)

    async def check(self, consumers: Collection[DeviceConsumer]) -> None:
        """Close those of these sockets that no longer count."""
        present = [consumer for consumer in consumers if consumer in self._open]
        if not present:
            return
        ids = [consumer.opening.device_id for consumer in present]
        client: Any = async_client()
        owners = await client.hmget(_owners_key(), [str(device_id) for device_id in ids])
        credentials = [consumer.opening.credential_id for consumer in present]
        usable, subjects = await database_sync_to_async(_standing)(ids, credentials)
        for consumer, owner in zip(present, owners, strict=True):
            connection = self._open.get(consumer)
            if connection is None:
                continue
            opening = consumer.opening
            if owner is None:
                await client.hsetnx(_owners_key(), str(opening.device_id), connection)
            elif owner.decode() != connection:
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

    async def _reconcile_now_and_then(self) -> None:
        while not cancelled():
            await asyncio.sleep(settings.TELEMETRY_DEVICE_RECONCILE_S)
            try:
                await self._close_idle()
                await self.check(self.consumers)
            except (RedisError, DatabaseError, OSError) as error:
                log.warning("presence_unchecked", error=str(error))
            except Exception:
                log.exception("presence_failed")

    async def _close_idle(self) -> None:
        oldest = time.time_ns() // 1000 - settings.TELEMETRY_DEVICE_IDLE_S * 1_000_000
        for consumer in self.consumers:
            if consumer.session.heard_us < oldest:
                consumer.shut_soon(IDLE, "nothing was heard for long")


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
