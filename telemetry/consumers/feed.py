"""What everybody who watches live has in common, whatever carries it to them.

Handlers of messages only note what came and wake the one task that sends, so the channel
layer's queue is always drained at once; what a slow reader has not taken waits merged, one
patch per vehicle, and never as a growing queue.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import structlog
from channels.db import database_sync_to_async
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from telemetry.consumers.access import Access, access_of
from telemetry.consumers.room import SNAPSHOT_EVERY_S, Room
from telemetry.consumers.subscriptions import Outlook, Wishes, look, read_room
from telemetry.consumers.window import IMPATIENT_AFTER_S
from telemetry.loops import cancelled
from telemetry.rooms import group_of
from telemetry.snapshots import snapshot_part

HEARTBEAT_S = 5.0
CHECK_S = 10.0
PART = 500
"""Vehicles and meters in one part of a snapshot."""

log = structlog.get_logger(__name__)
json = msgspec.json.Encoder(decimal_format="number")


class Closed(Exception):
    """The connection is closed; there is nothing more to send."""


class Feed:
    """The rooms of one reader, kept as they are wished for. Mixed into a Channels consumer."""

    scope: dict[str, Any]
    channel_layer: Any
    channel_name: str
    access: Access
    wishes: Wishes
    sender: asyncio.Task[None] | None = None

    async def enter(self, access: Access, wishes: Wishes) -> None:
        """Hear of what concerns this access from now on."""
        self.access = access
        self.wishes = wishes
        self.rooms: dict[int, Room] = {}
        self.wake = asyncio.Event()
        for group in access.groups:
            await self.channel_layer.group_add(group, self.channel_name)

    def begin(self) -> None:
        """Send, until the connection closes."""
        self.beat_at = 0.0
        # Readers that came together (after a restart) do not check together for ever.
        self.check_at = time.monotonic() + CHECK_S * random.uniform(0.5, 1)  # noqa: S311
        self.sender = asyncio.create_task(self._send_for_ever())

    async def leave(self) -> None:
        """Nothing is sent and nothing is heard any more."""
        if self.sender is not None:
            self.sender.cancel()
        for group in self.access.groups:
            await self.channel_layer.group_discard(group, self.channel_name)
        for fleet_id in self.rooms:
            group = group_of(self.access.tenant_id, fleet_id)
            await self.channel_layer.group_discard(group, self.channel_name)

    # --- How it is carried: each its own ------------------------------------------------
    async def tell(self, body: dict[str, Any]) -> None:
        raise NotImplementedError

    async def tell_of_room(self, body: dict[str, Any]) -> None:
        """A snapshot or an update; only where `may_tell_of_room`."""
        raise NotImplementedError

    def may_tell_of_room(self) -> bool:
        raise NotImplementedError

    async def tell_of_alerts(self) -> None:
        raise NotImplementedError

    async def beat(self) -> None:
        raise NotImplementedError

    async def end(self, code: str, detail: str) -> None:
        """Close, saying why."""
        raise NotImplementedError

    async def fail(self) -> None:
        """Close after a fault of ours."""
        raise NotImplementedError

    # --- What comes ---------------------------------------------------------------------
    async def telemetry_update(self, message: dict[str, Any]) -> None:
        """A batch of patches from a room (see `telemetry.live`)."""
        if room := self.rooms.get(message["fleet"]):
            room.take(message, time.monotonic())
            self.wake.set()

    async def access_changed(self, message: dict[str, Any]) -> None:
        """A token was revoked, a member removed, an organisation archived: look at once."""
        self.check_at = 0.0
        self.wake.set()

    # --- What goes ----------------------------------------------------------------------
    async def _send_for_ever(self) -> None:
        try:
            while not cancelled():
                try:
                    await self.send_what_is_due()
                    pause = 1.0 if self._something_waits() else HEARTBEAT_S / 2
                except (DatabaseError, RedisError) as error:
                    log.warning("live.unavailable", tenant=self.access.tenant_id, error=str(error))
                    pause = 1.0
                await self.wait(pause)
        except Closed:
            return
        except Exception:
            log.exception("live.feed_failed", tenant=self.access.tenant_id)
            await self.fail()

    def _something_waits(self) -> bool:
        return any(room.waiting or room.wants_snapshot for room in self.rooms.values())

    async def wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.wake.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self.wake.clear()

    async def send_what_is_due(self) -> None:
        if time.monotonic() >= self.check_at:
            await self.check()
        for room in list(self.rooms.values()):
            if room.snapshot_due(time.monotonic()):
                await self._send_snapshot(room)
        if self.may_tell_of_room():
            await self._send_round()
        await self.tell_of_alerts()
        if time.monotonic() >= self.beat_at:
            self.beat_at = time.monotonic() + HEARTBEAT_S
            await self.beat()

    async def _send_round(self) -> None:
        """One update of every room that has news: whoever reads slowly is behind with all of
        them alike, and no room waits for ever behind livelier ones."""
        for room in self.rooms.values():
            if room.update_due():
                await self.tell_of_room({"type": "telemetry.update"} | room.update())

    async def check(self) -> None:
        """Is the access still good, has anything moved, is a room's last message missing?"""
        await self.check_access()
        outlook = await database_sync_to_async(look)(
            self.access.tenant_id, self.wishes, tuple(self.rooms)
        )
        await self.arrange(outlook)
        for fleet_id, counter in outlook.counters.items():
            if room := self.rooms.get(fleet_id):
                room.counted(counter)

    async def check_access(self) -> None:
        self.check_at = time.monotonic() + CHECK_S
        access = await database_sync_to_async(access_of)(self.scope)
        if access is None or access.tenant_id != self.access.tenant_id:
            await self.end("access_ended", "Log in again.")
            raise Closed

    async def arrange(self, outlook: Outlook) -> None:
        """Enter and leave rooms so that they are those which are wished for."""
        if outlook.missing:
            detail = f"There is no {', '.join(outlook.missing[:5])}."
            names = {"type": "error", "code": "not_found", "detail": detail}
            await self.tell(names | {"names": outlook.missing})
            self.wishes = self.wishes.without(outlook.missing)
        for fleet_id in self.rooms.keys() - outlook.rooms.keys():
            group = group_of(self.access.tenant_id, fleet_id)
            await self.channel_layer.group_discard(group, self.channel_name)
            await self.tell({"type": "left", "room": self.rooms.pop(fleet_id).wire_name})
        for fleet_id, (reference, name, digest, watched) in outlook.rooms.items():
            room = self.rooms.get(fleet_id)
            if room is None:
                # Enter first, read afterwards: what is published in between waits.
                self.rooms[fleet_id] = Room(fleet_id, reference, name, digest, watched)
                group = group_of(self.access.tenant_id, fleet_id)
                await self.channel_layer.group_add(group, self.channel_name)
            elif (room.name, room.digest, room.watched) != (name, digest, watched):
                room.name, room.digest, room.watched = name, digest, watched
                room.wants_snapshot, room.read_at = True, -SNAPSHOT_EVERY_S

    async def _send_snapshot(self, room: Room) -> None:
        seq, vehicles, meters = await self.read(room)
        pieces = list(parts(vehicles, meters))
        for number, piece in enumerate(pieces, 1):
            while not self.may_tell_of_room():
                await self.wait(IMPATIENT_AFTER_S)
            await self.tell_of_room(
                {"type": "snapshot", "seq": seq}
                | snapshot_part(room.reference, room.name, number, len(pieces), **piece)
            )

    async def read(
        self, room: Room, since: int | None = None
    ) -> tuple[int, list[dict[str, Any]], list[dict[str, Any]]]:
        """The room's number, vehicles and meters, which are about to be sent."""
        seq, vehicles, meters = await database_sync_to_async(read_room)(
            self.access.tenant_id, room.fleet_id, room.watched, since
        )
        known = frozenset(entry["id"] for entry in (*vehicles, *meters))
        room.snapshot_read(seq, known, time.monotonic())
        return seq, vehicles, meters


def parts(vehicles: list[Any], meters: list[Any]) -> Iterator[dict[str, list[Any]]]:
    """In pieces of `PART` things; at least one piece."""
    things = [("vehicles", each) for each in vehicles] + [("meters", each) for each in meters]
    for at in range(0, max(1, len(things)), PART):
        chosen = things[at : at + PART]
        yield {
            "vehicles": [each for kind, each in chosen if kind == "vehicles"],
            "meters": [each for kind, each in chosen if kind == "meters"],
        }
