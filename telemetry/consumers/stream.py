"""`GET /v1/telemetry/stream`: what the dashboards' socket tells, as server-sent events.

A stream goes on where it was interrupted: see docs/live-protocol.md. The server makes `send`
wait while the client does not read (ASGI; `config.daphne_pace` where Daphne would not), so
what a slow client has not taken waits merged in its rooms.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import structlog
from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from telemetry import alert_log, horizon, live_metrics
from telemetry.consumers import marks
from telemetry.consumers.feed import Closed, Feed, json, parts
from telemetry.consumers.places import Places
from telemetry.consumers.room import Room
from telemetry.consumers.stream_opening import Opening, open_stream, unavailable
from telemetry.consumers.subscriptions import Outlook, look
from tenants.errors import PROBLEM_TYPE, DomainError

PATH: Final = "/v1/telemetry/stream"
RETRY_MS: Final = (2000, 5000)
"""A client reconnects after a time in between, so that they do not all come back together."""
STALLED_S = 60.0
"""A client that has taken nothing for so long is let go; it may go on from its last id."""
LOOK_S = 1.0

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

log = structlog.get_logger(__name__)
places = Places()


async def streams(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The ASGI application."""
    try:
        opening = await database_sync_to_async(open_stream)(scope)
        if scope["method"] == "HEAD":
            await _answer(send, 200, _HEADERS)
            return
        async with places.taken(opening.access.caller):
            with live_metrics.STREAMS.track_inprogress():
                await _stream(opening, receive, send)
    except DomainError as error:
        await _refuse(error, scope, send)


async def _stream(opening: Opening, receive: Any, send: Any) -> None:
    consumer = StreamConsumer(opening)
    try:
        await consumer(opening.scope, receive, send)
    except RedisError as error:
        log.warning("live.unavailable", tenant=opening.access.tenant_id, error=str(error))
        if not consumer.answers:
            raise unavailable("The stream cannot begin now.") from error
        await consumer.fail()


async def _refuse(error: DomainError, scope: dict[str, Any], send: Any) -> None:
    live_metrics.STREAMS_REFUSED.labels(error.code).inc()
    headers = [(b"content-type", PROBLEM_TYPE.encode()), (b"cache-control", b"no-store")]
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="outrider"'))
    if error.status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    if "retry_after" in error.extra:
        headers.append((b"retry-after", str(error.extra["retry_after"]).encode()))
    await _answer(send, error.status, headers, json.encode(error.problem(instance=scope["path"])))


async def _answer(send: Any, status: int, headers: list[Any], body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class StreamConsumer(Feed, AsyncConsumer):  # type: ignore[misc]
    """One stream."""

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self.mark: marks.Mark | None = None
        self.told: horizon.Told | None = None
        self.entered = self.answers = self.begun = False
        self.about: str | None = None
        self.alert = alert_log.BEGINNING
        """The last alert event that was told, by its id in the log."""
        self.alerts_due = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # However it ends, a server that shuts down included.
            if self.entered:
                await self.leave()

    # --- What comes ---------------------------------------------------------------------
    async def http_request(self, message: dict[str, Any]) -> None:
        if self.entered or message.get("more_body"):
            return  # A body says nothing here.
        self.entered = True
        await self.enter(self.opening.access, self.opening.asked.wishes)
        self.answers = True
        await self.send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        self.begin()

    async def http_disconnect(self, message: dict[str, Any]) -> None:
        raise StopConsumer

    async def alert_event(self, message: dict[str, Any]) -> None:
        """Something happened to an alert: the log has it."""
        self.alerts_due = True
        self.wake.set()

    # --- Where it begins ----------------------------------------------------------------
    async def send_what_is_due(self) -> None:
        if not self.begun:
            await self._begin_or_go_on()
            self.begun = True
        await super().send_what_is_due()

    async def _begin_or_go_on(self) -> None:
        # It may have ended before there was a group to hear it in.
        await self.check_access()
        # The horizon first: what is written while the rooms are read counts as not yet told.
        now = await database_sync_to_async(horizon.look)()
        tenant_id, after = self.access.tenant_id, self.opening.asked.after
        self.mark = marks.read(after)
        retry = random.randint(*RETRY_MS)  # noqa: S311
        await self._put(f"retry: {retry}\n\n".encode())
        await self.arrange(await database_sync_to_async(look)(tenant_id, self.wishes))
        self.told = horizon.Told(now)
        self.alert = await alert_log.newest(tenant_id) if self.opening.asked.alerts else "0-0"
        if after in ("", marks.NOTHING):
            live_metrics.STREAMS_BEGUN.labels("anew").inc()
            return
        objection = marks.objection(self.mark, self._about(), now.at, now.newest)
        if objection is not None:
            live_metrics.STREAMS_BEGUN.labels("resync").inc()
            self.mark = None
            reason, detail = objection
            detail += " A snapshot follows; ask /v1/alerts for the alerts."
            await self.tell({"type": "resync", "reason": reason, "detail": detail})
        elif self.mark is not None:
            await self._go_on(self.mark, after)

    async def _go_on(self, mark: marks.Mark, after: str) -> None:
        live_metrics.STREAMS_BEGUN.labels("resumed").inc()
        self.alert, self.alerts_due = mark.alert, True
        await self.tell({"type": "resumed", "after": after})
        for room in self.rooms.values():
            await self._tell_changes(room, mark.horizon)

    async def _tell_changes(self, room: Room, since: int) -> None:
        """Of a room that the client knows as it was: the states that changed since."""
        seq, vehicles, meters = await self.read(room, since)
        changed = [[each["state"] for each in kind if each["state"]] for kind in (vehicles, meters)]
        if not any(changed):
            return
        for part in parts(*changed):
            body = {"type": "telemetry.update", "room": room.wire_name, "seq": seq}
            await self.tell_of_room(body | part)

    async def arrange(self, outlook: Outlook) -> None:
        await super().arrange(outlook)
        self.about = None

    def _about(self) -> str:
        """Changes with whatever a client would have to be told by a snapshot."""
        if self.about is None:
            rooms = (
                (pk, room.reference, room.name, room.digest, sorted(room.watched or ()))
                for pk, room in sorted(self.rooms.items())
            )
            asked = self.opening.asked
            everything = asked.wishes.all_fleets
            self.about = marks.digest_of((self.access.tenant_id, asked.alerts, everything, *rooms))
        return self.about

    # --- Where it stands ----------------------------------------------------------------
    async def check(self) -> None:
        await super().check()
        self.alerts_due = True
        sample = await database_sync_to_async(horizon.look)()
        published = await database_sync_to_async(horizon.published_until)()
        if self.told is not None:
            self.told.checked(sample, published)

    def _move_mark(self) -> None:
        """Everything that was heard has been sent: go on from further ahead, where certain."""
        now = time.monotonic()
        told = [room.told_until(now) for room in self.rooms.values()]
        certain = [at for at in told if at is not None]
        if self.told is None or len(certain) < len(told):
            return
        self.told.told_until(time.time() - (now - min(certain, default=now)))
        reached = self.told.reached
        self.mark = marks.Mark(self._about(), int(reached.at), reached.horizon, self.alert)

    # --- What goes ----------------------------------------------------------------------
    def may_tell_of_room(self) -> bool:
        return True  # Sending itself waits for the client.

    async def tell_of_room(self, body: dict[str, Any]) -> None:
        await self.tell(body | {"server_time_us": time.time_ns() // 1000})

    async def tell_of_alerts(self) -> None:
        if not self.opening.asked.alerts:
            return
        while self.alerts_due:
            self.alerts_due = False
            news = await alert_log.after(self.access.tenant_id, self.alert)
            if not news.whole:
                self._stand_at(await alert_log.newest(self.access.tenant_id))
                detail = "More happened to alerts than is kept: ask /v1/alerts."
                await self.tell({"type": "resync", "reason": "alerts_lost", "detail": detail})
                continue
            for event_id, event in news.events:
                self._stand_at(event_id)
                await self.tell(event)
                self.alerts_due = True

    def _stand_at(self, event_id: str) -> None:
        self.alert = event_id
        if self.mark is not None:
            self.mark = replace(self.mark, alert=event_id)

    async def tell(self, body: dict[str, Any]) -> None:
        name = body["type"]
        await self._put(
            b"event: %s\n%sdata: %s\n\n" % (name.encode(), self._id(), json.encode(body))
        )

    async def beat(self) -> None:
        # An id without data is no event, but the client goes on from it. The first one comes
        # when all snapshots have been sent.
        self._move_mark()
        await self._put(b": heartbeat %d\n%s\n" % (time.time_ns() // 1000, self._id()))

    def _id(self) -> bytes:
        return f"id: {self.mark or marks.NOTHING}\n".encode()

    async def _put(self, frame: bytes) -> None:
        """Send it, however long the client takes; meanwhile its access is still looked at."""
        body = {"type": "http.response.body", "body": frame, "more_body": True}
        sending = asyncio.ensure_future(self.send(body))
        stalled_at = time.monotonic() + STALLED_S
        try:
            while not (await asyncio.wait({sending}, timeout=LOOK_S))[0]:
                if time.monotonic() >= stalled_at:
                    live_metrics.STREAMS_ENDED.labels("stalled").inc()
                    await self._finish(b"")
                    raise Closed
                if time.monotonic() >= self.check_at:
                    # Without the database it is looked at again later; the frame is on its way.
                    with suppress(DatabaseError):
                        await self.check_access()
            await sending
        finally:
            sending.cancel()

    async def end(self, code: str, detail: str) -> None:
        live_metrics.STREAMS_ENDED.labels(code).inc()
        error = json.encode({"type": "error", "code": code, "detail": detail})
        await self._finish(b"event: error\ndata: %s\n\n" % error)

    async def fail(self) -> None:
        live_metrics.STREAMS_ENDED.labels("failed").inc()
        await self._finish(b"")

    async def _finish(self, frame: bytes) -> None:
        """The last word. The server then says that the client has gone."""
        await self.send({"type": "http.response.body", "body": frame})
