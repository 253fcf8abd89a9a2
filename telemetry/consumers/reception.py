"""Letting devices in by the batch.

After a restart all devices come back at once. Each needs its credential looked up, to be told
how far it had come, and to be written down as the connection that counts: one query and one
round trip, and whoever comes while these are under way shares the next ones.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from fleet.selectors import DeviceIdentity, devices_for_secrets
from telemetry import connected, knocks
from telemetry.envelope import Kind, Speaker
from telemetry.presence import presence
from telemetry.streams import INGRESS, async_client, partition_of

AT_ONCE: Final = 500


class Arrival(NamedTuple):
    """A known device at the door. `speaker` is None where it is installed nowhere; then it is
    not written down either."""

    identity: DeviceIdentity
    speaker: Speaker | None
    last_seq: int | None
    connection: str
    number: int


class Reception:
    """The devices that wait to be let in, of one event loop."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, asyncio.Future[Arrival | None]]] = []
        self._serving: asyncio.Task[None] | None = None
        self._noting: asyncio.Task[None] | None = None
        self._number = 0

    async def arrive(self, secret: str) -> Arrival | None:
        """The device that has this secret; None where there is none.

        Raises what the database or Redis raise.
        """
        answer: asyncio.Future[Arrival | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((secret, answer))
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve(), name="device reception")
        return await answer

    async def _serve(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            try:
                arrivals = await self._admit([secret for secret, _ in batch])
            except Exception as error:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), arrival in zip(batch, arrivals, strict=True):
                if not answer.done():
                    answer.set_result(arrival)

    async def _admit(self, secrets: Sequence[str]) -> list[Arrival | None]:
        channel = await presence().channel()
        known = await database_sync_to_async(devices_for_secrets)(secrets)
        self._note_knocks([secret for secret in secrets if secret not in known])
        arrivals: list[Arrival | None] = []
        for secret in secrets:
            identity = known.get(secret)
            if identity is None:
                arrivals.append(None)
                continue
            self._number += 1
            connection = f"{channel}/{self._number}"
            speaker = _speaker(identity)
            arrivals.append(Arrival(identity, speaker, None, connection, self._number))
        return await self._write_down(arrivals, channel)

    def _note_knocks(self, unknown: list[str]) -> None:
        """Beside the way of those who are let in; who knocks meanwhile is not noted."""
        if unknown and (self._noting is None or self._noting.done()):
            noted = database_sync_to_async(knocks.note)(unknown)
            self._noting = asyncio.create_task(noted, name="device knocks")

    async def _write_down(
        self, arrivals: list[Arrival | None], channel: str
    ) -> list[Arrival | None]:
        """Make these the connections that count, and find how far each device had come."""
        places: list[int] = []
        connections: dict[str, str] = {}
        # Together or not at all: of two processes the later one finds the other's.
        pipeline: Any = async_client().pipeline(transaction=True)
        for at, arrival in enumerate(arrivals):
            if arrival is not None and arrival.speaker is not None:
                places.append(at)
                device_id = str(arrival.identity.device_id)
                connections[device_id] = arrival.connection
                partition = partition_of(arrival.speaker.kind, arrival.speaker.subject_id)
                pipeline.hget(INGRESS.keys(partition)[2], device_id)
        if not places:
            return arrivals
        pipeline.hmget(connected.key(), list(connections))
        pipeline.hset(connected.key(), mapping=connections)
        *seqs, before, _ = await pipeline.execute()
        for at, seq in zip(places, seqs, strict=True):
            arrival = arrivals[at]
            if arrival is not None and seq is not None:
                arrivals[at] = arrival._replace(last_seq=int(seq))
        await self._tell_others(zip(connections, before, strict=True), channel)
        return arrivals

    async def _tell_others(self, before: Iterable[tuple[str, bytes | None]], channel: str) -> None:
        """Tell the processes that had these devices until now."""
        lost: dict[str, list[int]] = {}
        for device_id, connection in before:
            if connection is not None:
                lost.setdefault(connected.channel_of(connection), []).append(int(device_id))
        layer = get_channel_layer()
        for other, devices in lost.items():
            if other not in ("", channel):
                # Not told, the other process finds out when it looks the next time.
                with suppress(RedisError, OSError):
                    await layer.send(other, {"type": "device.superseded", "devices": devices})


def _speaker(identity: DeviceIdentity) -> Speaker | None:
    kind: Kind
    if identity.vehicle_id is not None:
        kind, subject_id = "v", identity.vehicle_id
    elif identity.meter_id is not None:
        kind, subject_id = "m", identity.meter_id
    else:
        return None
    return Speaker(identity.tenant_id, identity.device_id, kind, subject_id)


_receptions: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Reception] = (
    weakref.WeakKeyDictionary()
)


def reception() -> Reception:
    """The reception of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _receptions.get(loop)
    if found is None:
        found = _receptions[loop] = Reception()
    return found
