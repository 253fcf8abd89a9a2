"""The dashboards' socket: a snapshot, then every change. See docs/live-protocol.md.

What it sends is the feed's (`telemetry.consumers.feed`); here is what a client may say, and
the window of messages that it has yet to acknowledge.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import msgspec
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from telemetry.consumers.access import TOKEN_PROTOCOL, access_of
from telemetry.consumers.feed import Closed, Feed, json
from telemetry.consumers.requests import MAX_MESSAGE_BYTES, Ack, Request, Subscribe, parse
from telemetry.consumers.subscriptions import Wishes, look
from telemetry.consumers.window import Window

MAX_REQUESTS_PER_S = 60
MAX_REQUESTS_WAITING = 32
MAX_ALERTS_WAITING = 200


class DashboardConsumer(Feed, AsyncWebsocketConsumer):  # type: ignore[misc]
    """One dashboard."""

    async def connect(self) -> None:
        access = await database_sync_to_async(access_of)(self.scope)
        if access is None:
            await self.close(4401)
            return
        self.window = Window()
        self.requests: deque[Request] = deque()
        self.credit, self.credit_at = float(MAX_REQUESTS_PER_S), time.monotonic()
        # A dashboard that reads too slowly loses the oldest: the inbox has them all.
        self.alerts: deque[dict[str, Any]] = deque(maxlen=MAX_ALERTS_WAITING)
        await self.enter(access, Wishes())
        # A socket that does not say which protocol it took would be refused by a browser.
        token = next((p for p in self.scope["subprotocols"] if p.startswith(TOKEN_PROTOCOL)), None)
        await self.accept(subprotocol=token)
        self.begin()

    async def disconnect(self, code: int) -> None:
        if self.sender is not None:
            await self.leave()

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

    async def alert_event(self, message: dict[str, Any]) -> None:
        """Something happened to an alert (see `telemetry.rooms.alerts_group_of`)."""
        self.alerts.append({"type": message["event"], "alert": message["alert"]})
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
        await self.tell({"type": "error", "code": code, "detail": detail})
        await self.close(close_code)

    # --- What goes ----------------------------------------------------------------------
    async def send_what_is_due(self) -> None:
        while self.requests:
            await self._carry_out(self.requests.popleft())
        await super().send_what_is_due()

    async def _carry_out(self, request: Request) -> None:
        if isinstance(request, Subscribe):
            self.wishes = self.wishes.with_more(request)
        elif not isinstance(request, Ack):
            self.wishes = self.wishes.with_less(request)
        if self.wishes.too_many:
            await self._refuse(4400, "too_many_subscriptions", "Name fewer, or subscribe to all.")
            raise Closed
        await self.arrange(await database_sync_to_async(look)(self.access.tenant_id, self.wishes))

    def may_tell_of_room(self) -> bool:
        return self.window.open(time.monotonic())

    async def tell_of_room(self, body: dict[str, Any]) -> None:
        """Send a message that the client acknowledges by its number."""
        number = self.window.next_number(time.monotonic())
        await self.tell(body | {"message": number, "server_time_us": time.time_ns() // 1000})

    async def tell_of_alerts(self) -> None:
        while self.alerts:
            await self.tell(self.alerts.popleft())

    async def beat(self) -> None:
        await self.tell({"type": "heartbeat", "server_time_us": time.time_ns() // 1000})

    async def tell(self, body: dict[str, Any]) -> None:
        await self.send(text_data=json.encode(body).decode())

    async def end(self, code: str, detail: str) -> None:
        await self.tell({"type": "error", "code": code, "detail": detail})
        await self.close(4401)

    async def fail(self) -> None:
        await self.close(1011)
