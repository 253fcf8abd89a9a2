"""The device socket: see docs/device-protocol.md. It authenticates, hands frames over, replies.

Channels' dispatch costs about 70 µs a frame, ten times what taking a reading in costs. So the
consumer has a loop of its own around `receive()`; messages of the channel layer come to the
process (see `telemetry.presence`), which closes the sockets they are about.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from telemetry import edge_metrics as metrics
from telemetry.adapters.telemetry_v1 import MAX_BATCH
from telemetry.consumers.handshake import Opening, Refused, open_session
from telemetry.presence import presence
from telemetry.records import SCHEMA_VERSION
from telemetry.sessions import Close, DeviceSession

log = structlog.get_logger(__name__)

GONE = (OSError, RuntimeError)
"""What servers raise from `send` once the peer is gone."""


class DeviceConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One connection of one device."""

    opening: Opening
    session: DeviceSession

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self.base_send = scope, send
        self.closing: tuple[int, str] | None = None
        self._shut = False
        self._ended = asyncio.Event()
        self._delivery: asyncio.Task[None] | None = None
        await receive()
        try:
            self.opening = await open_session(scope)
        except Refused as refused:
            await refused.answer(scope, send)
            return
        self.session = self.opening.session
        self.text = self.opening.form == "json"
        metrics.SOCKETS.inc()
        try:
            await self._serve(receive)
        except GONE:
            pass
        finally:
            metrics.SOCKETS.dec()
            self._leave()

    def _leave(self) -> None:
        presence().leave(self)
        self.opening.door.unfollow(self)

    async def _serve(self, receive: Any) -> None:
        opening = self.opening
        await self.accept(opening.subprotocol)
        presence().enter(self)
        await self._tell(
            {
                "type": "ready",
                "schema": SCHEMA_VERSION,
                "last_seq": opening.last_seq,
                "window": settings.TELEMETRY_DEVICE_WINDOW,
                "max_batch": MAX_BATCH,
            }
        )
        session, door, form = self.session, opening.door, "text" if self.text else "bytes"
        try:
            while (event := await receive())["type"] == "websocket.receive":
                if self.closing is not None:
                    # Returning now would cut the connection before its close frame is sent.
                    await asyncio.wait([asyncio.create_task(self._ended.wait())], timeout=10)
                    return
                frame = event.get(form)
                if frame is None:
                    other = event.get("bytes" if self.text else "text") or b""
                    reason = f"{opening.subprotocol} has {form} frames"
                    raise session.ended_by(other, 4400, reason)
                session.take(frame)
                door.follow(self)
                if session.tick != door.tick:
                    session.tick = door.tick
                    await self._deliver()
                if session.congested:
                    await self._hold()
        except Close as close:
            await self.shut(close.code, close.reason)

    async def _hold(self) -> None:
        """Leave the socket unread until there is room; say so where the fault is ours."""
        while self.session.congested and self.closing is None:
            if self.session.blocked:
                await self._tell({"type": "slow", "retry_after_ms": 1000})
            await self.opening.door.progress(1.0)
            await self._deliver()

    # --- Answers ---------------------------------------------------------------------------

    def settle_soon(self) -> None:
        if self._delivery is None or self._delivery.done():
            self._delivery = asyncio.create_task(self._deliver_if_there())

    async def _deliver_if_there(self) -> None:
        with suppress(*GONE):
            await self._deliver()
        if self.session.in_flight:
            self.opening.door.follow(self)

    async def _deliver(self) -> None:
        for message in self.session.settle():
            await self._tell(message)

    async def _tell(self, message: dict[str, Any]) -> None:
        await self.base_send(self.opening.encode(message))

    def shut_soon(self, code: int, reason: str) -> None:
        self._shutting = asyncio.create_task(self.shut(code, reason))

    def stop_taking(self, code: int, reason: str) -> None:
        """Take no further frame; what was taken is still to be answered."""
        self.closing = self.closing or (code, reason)

    async def shut(self, code: int, reason: str) -> None:
        """Close from this side, once, after what is durable by now has been acknowledged."""
        self.stop_taking(code, reason)
        if self._shut:
            return
        self._shut = True
        metrics.CLOSED.labels(code).inc()
        log.info("device_closed", device_id=self.opening.device_id, code=code, reason=reason)
        with suppress(*GONE):
            await self._deliver()
            await self.base_send({"type": "websocket.close", "code": code, "reason": reason})
        self._ended.set()
