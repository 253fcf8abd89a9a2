"""The dashboards' socket: a snapshot, then every change. See docs/live-protocol.md.

Handlers of messages only note what came and wake the one task that sends, so the channel
layer's queue is always drained at once; what a slow client has not taken waits merged, one
patch per vehicle, and never as a growing queue.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from typing import Any

import msgspec
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from telemetry import status
from telemetry.consumers.access import TOKEN_PROTOCOL, Access, access_of
from telemetry.consumers.requests import MAX_MESSAGE_BYTES, Ack, Request, Subscribe, parse
from telemetry.consumers.room import SNAPSHOT_EVERY_S, Room
from telemetry.consumers.subscriptions import Outlook, Wishes, look, read_room
from telemetry.consumers.window import IMPATIENT_AFTER_S, Window
from telemetry.rooms import group_of

HEARTBEAT_S = 5.0
CHECK_S = 10.0
PART = 500
"""Vehicles and meters in one part of a snapshot."""
MAX_REQUESTS_PER_S = 60
MAX_REQUESTS_WAITING = 32
MAX_ALERTS_WAITING = 200

log = structlog.get_logger(__name__)
_json = msgspec.json.Encoder(decimal_format="number")


class DashboardConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One dashboard."""

    access: Access
    sender: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        access = await database_sync_to_async(access_of)(self.scope)
        if access is None:
            await self.close(4401)
            return
        self.access = access
        self.wishes = Wishes()
        self.rooms: dict[int, Room] = {}
        self.window = Window()
        self.requests: deque[Request] = deque()
        self.credit, self.credit_at = float(MAX_REQUESTS_PER_S), time.monotonic()
        # A dashboard that reads too slowly loses the oldest: the inbox has them all.
        self.alerts: deque[dict[str, Any]] = deque(maxlen=MAX_ALERTS_WAITING)
        self.wake = asyncio.Event()
        for group in access.groups:
            await self.channel_layer.group_add(group, self.channel_name)
        # A socket that does not say which protocol it took would be refused by a browser.
        token = next((p for p in self.scope["subprotocols"] if p.startswith(TOKEN_PROTOCOL)), None)
        await self.accept(subprotocol=token)
        self.sender = asyncio.create_task(self._send_for_ever())

    async def disconnect(self, code: int) -> None:
        if self.sender is None:
            return
        self.sender.cancel()
        for group in self.access.groups:
            await self.channel_layer.group_discard(group, self.channel_name)
        for fleet_id in self.rooms:
            group = group_of(self.access.tenant_id, fleet_id)
            await self.channel_layer.group_discard(group, self.channel_name)

    # --- What comes ---------------------------------------------------------------------
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.sender is None or self.sender.done() or self.sender.cancelling():
            return  # Being closed: what still comes is too late.
        if text_data is None:
            await self._refuse(4400, "malformed", "Text frames only.")
        elif len(text_data) > MAX_MESSAGE_BYTES:
            await self._refuse(4413, "too_large", f"At most {MAX_MESSAGE_BYTES} bytes a message.")
        else:
            try:
                request = parse(text_data)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                await self._refuse(4400, "malformed", str(error))
                return
            await self._take(request)

    async def _take(self, request: Request) -> None:
        acknowledged = self.window.acknowledged
        if isinstance(request, Ack) and not self.window.acknowledge(request.message):
            await self._refuse(4400, "malformed", "That message has not been sent.")
            return
        # What acknowledges something new is as frequent as our own messages: it is not counted.
        counts = self.window.acknowledged == acknowledged
        if counts and (not self._within_rate() or len(self.requests) >= MAX_REQUESTS_WAITING):
            await self._refuse(4429, "too_many_requests", "Messages come too fast.")
            return
        if not isinstance(request, Ack):
            self.requests.append(request)
        self.wake.set()

    async def telemetry_update(self, message: dict[str, Any]) -> None:
        """A batch of patches from a room (see `telemetry.live`)."""
        if room := self.rooms.get(message["fleet"]):
            room.take(message, time.monotonic())
            self.wake.set()

    async def alert_event(self, message: dict[str, Any]) -> None:
        """Something happened to an alert (see `telemetry.rooms.alerts_group_of`)."""
        self.alerts.append({"type": message["event"], "alert": message["alert"]})
        self.wake.set()

    async def access_changed(self, message: dict[str, Any]) -> None:
        """A token was revoked, a member removed, an organisation archived: look at once."""
        self.check_at = 0.0
        self.wake.set()

    def _within_rate(self) -> bool:
        now = time.monotonic()
        refill = (now - self.credit_at) * MAX_REQUESTS_PER_S
        self.credit, self.credit_at = min(MAX_REQUESTS_PER_S, self.credit + refill), now
        self.credit -= 1
        return self.credit >= 0

    async def _refuse(self, close_code: int, code: str, detail: str) -> None:
        if self.sender is not None:
            self.sender.cancel()
        await self._send({"type": "error", "code": code, "detail": detail})
        await self.close(close_code)

    # --- What goes ----------------------------------------------------------------------
    async def _send_for_ever(self) -> None:
        self.beat_at = 0.0
        # Dashboards that came together (after a restart) do not check together for ever.
        self.check_at = time.monotonic() + CHECK_S * random.uniform(0.5, 1)  # noqa: S311
        try:
            while True:
                try:
                    await self._send_what_is_due()
                    pause = 1.0 if self._something_waits() else HEARTBEAT_S / 2
                except (DatabaseError, RedisError) as error:
                    log.warning("live.unavailable", tenant=self.access.tenant_id, error=str(error))
                    pause = 1.0
                await self._wait(pause)
        except _Closed:
            return
        except Exception:
            log.exception("live.socket_failed", tenant=self.access.tenant_id)
            await self.close(1011)

    def _something_waits(self) -> bool:
        return any(room.waiting or room.wants_snapshot for room in self.rooms.values())

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.wake.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self.wake.clear()

    async def _send_what_is_due(self) -> None:
        now = time.monotonic()
        while self.requests:
            await self._carry_out(self.requests.popleft())
        if now >= self.check_at:
            self.check_at = now + CHECK_S
            await self._check()
        for room in list(self.rooms.values()):
            if room.snapshot_due(time.monotonic()):
                await self._send_snapshot(room)
        for room in self.rooms.values():
            if room.update_due() and self.window.open(time.monotonic()):
                await self._send_numbered({"type": "telemetry.update"} | room.update())
        while self.alerts:
            await self._send(self.alerts.popleft())
        if now >= self.beat_at:
            self.beat_at = now + HEARTBEAT_S
            await self._send({"type": "heartbeat", "server_time_us": time.time_ns() // 1000})

    async def _carry_out(self, request: Request) -> None:
        if isinstance(request, Subscribe):
            self.wishes = self.wishes.with_more(request)
        elif not isinstance(request, Ack):
            self.wishes = self.wishes.with_less(request)
        if self.wishes.too_many:
            await self._refuse(4400, "too_many_subscriptions", "Name fewer, or subscribe to all.")
            raise _Closed
        await self._arrange(await database_sync_to_async(look)(self.access.tenant_id, self.wishes))

    async def _check(self) -> None:
        """Is the access still good, has anything moved, is a room's last message missing?"""
        access = await database_sync_to_async(access_of)(self.scope)
        if access is None or access.tenant_id != self.access.tenant_id:
            await self._send({"type": "error", "code": "access_ended", "detail": "Log in again."})
            await self.close(4401)
            raise _Closed
        outlook = await database_sync_to_async(look)(
            access.tenant_id, self.wishes, tuple(self.rooms)
        )
        await self._arrange(outlook)
        for fleet_id, counter in outlook.counters.items():
            if room := self.rooms.get(fleet_id):
                room.counted(counter)

    async def _arrange(self, outlook: Outlook) -> None:
        """Enter and leave rooms so that they are those which are wished for."""
        if outlook.missing:
            detail = f"There is no {', '.join(outlook.missing[:5])}."
            names = {"type": "error", "code": "not_found", "detail": detail}
            await self._send(names | {"names": outlook.missing})
            self.wishes = self.wishes.without(outlook.missing)
        for fleet_id in self.rooms.keys() - outlook.rooms.keys():
            group = group_of(self.access.tenant_id, fleet_id)
            await self.channel_layer.group_discard(group, self.channel_name)
            await self._send({"type": "left", "room": self.rooms.pop(fleet_id).wire_name})
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
        seq, vehicles, meters = await database_sync_to_async(read_room)(
            self.access.tenant_id, room.fleet_id, room.watched
        )
        known = frozenset(entry["id"] for entry in (*vehicles, *meters))
        room.snapshot_read(seq, known, time.monotonic())
        entries = [("vehicles", v) for v in vehicles] + [("meters", m) for m in meters]
        parts = max(1, -(-len(entries) // PART))
        for part in range(parts):
            while not self.window.open(time.monotonic()):
                await self._wait(IMPATIENT_AFTER_S)
            chosen = entries[part * PART : (part + 1) * PART]
            await self._send_numbered(
                {
                    "type": "snapshot",
                    "room": room.wire_name,
                    "fleet": {"id": room.reference, "name": room.name},
                    "seq": seq,
                    "part": part + 1,
                    "parts": parts,
                    "rule": status.rule(),
                    "vehicles": [entry for kind, entry in chosen if kind == "vehicles"],
                    "meters": [entry for kind, entry in chosen if kind == "meters"],
                }
            )

    async def _send_numbered(self, body: dict[str, Any]) -> None:
        """Send a message that the client acknowledges by its number."""
        number = self.window.next_number(time.monotonic())
        await self._send(body | {"message": number, "server_time_us": time.time_ns() // 1000})

    async def _send(self, body: dict[str, Any]) -> None:
        await self.send(text_data=_json.encode(body).decode())


class _Closed(Exception):
    """The socket is closed; there is nothing more to send."""
