"""A client of the event stream, in this process: what it sends, read as a browser reads it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer

from telemetry import alert_log
from telemetry.consumers import marks
from telemetry.consumers.stream import PATH
from telemetry.rooms import alerts_group_of
from tests.telemetry.dashboards import Yard, merge_into


def tell_alert(yard: Yard, name: str, title: str) -> None:
    """As `alerts.announce` does it."""
    alert = {"id": title, "title": title}
    tenant_id = yard.organisation.pk
    alert_log.append([(tenant_id, {"type": name, "alert": alert})])
    message = {"type": "alert.event", "event": name, "alert": alert}
    async_to_sync(get_channel_layer().group_send)(alerts_group_of(tenant_id), message)


def scope_of(
    query: str = "",
    *,
    secret: str = "",
    method: str = "GET",
    scheme: str = "https",
    host: bytes = b"localhost",
    headers: list[tuple[bytes, bytes]] | None = None,
) -> dict[str, Any]:
    own = [(b"host", host)]
    if secret:
        own.append((b"authorization", b"Bearer " + secret.encode()))
    return {
        "type": "http", "http_version": "1.1", "method": method, "scheme": scheme, "path": PATH,
        "query_string": query.encode("latin-1"), "headers": own + (headers or []),
    }  # fmt: skip


class Events:
    """One stream. `state` is what it has been told, merged; `id` the last one it saw."""

    def __init__(self, application: Any, query: str = "", **options: Any) -> None:
        self.server = ApplicationCommunicator(application, scope_of(query, **options))
        self.state: dict[str, Any] = {}
        self.id = ""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""
        self.ended = False
        self.beats = 0
        self.retry: int | None = None
        self.seen: list[dict[str, Any]] = []

    async def open(self, state: dict[str, Any] | None = None) -> Events:
        self.state = state if state is not None else self.state
        await self.server.send_input({"type": "http.request", "body": b""})
        start = await self.server.receive_output(5)
        self.status = start["status"]
        self.headers = {k.decode(): v.decode() for k, v in start["headers"]}
        return self

    async def problem(self) -> dict[str, Any]:
        """The body of a refusal."""
        body = await self.server.receive_output(5)
        assert not body.get("more_body")
        assert self.headers["content-type"] == "application/problem+json"
        told: dict[str, Any] = json.loads(body["body"])
        return told

    async def next(self, *wanted: str, timeout: float = 5) -> dict[str, Any]:
        """The next event of one of these types; beats are passed over."""
        while True:
            while "\n\n" not in self.text:
                await self._more(timeout)
            frame, _, self.text = self.text.partition("\n\n")
            event = self._event(frame)
            if event is not None:
                assert not wanted or event["type"] in wanted, event
                return event

    async def until(self, *wanted: str, timeout: float = 5) -> dict[str, Any]:
        """Like `next`, and passes over what is not wanted."""
        while True:
            event = await self.next(timeout=timeout)
            if event["type"] in wanted:
                return event

    async def _more(self, timeout: float) -> None:
        assert not self.ended, "the stream has ended"
        message = await self.server.receive_output(timeout)
        assert message["type"] == "http.response.body"
        self.text += message["body"].decode()
        self.ended = not message.get("more_body", False)

    def _event(self, frame: str) -> dict[str, Any] | None:
        name = data = None
        for line in frame.split("\n"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match field:
                case "":
                    self.beats += 1
                case "id":
                    self.id = value
                case "retry":
                    self.retry = int(value)
                case "event":
                    name = value
                case "data":
                    assert data is None, "data goes in one line"
                    data = value
                case _:
                    raise AssertionError(f"no such field: {line!r}")
        if data is None:
            return None
        event: dict[str, Any] = json.loads(data)
        assert event["type"] == name
        merge_into(self.state, event)
        self.seen.append(event)
        return event

    async def nothing(self, seconds: float = 0.3) -> bool:
        """Whether for so long nothing came but beats; what came is taken."""
        deadline = asyncio.get_running_loop().time() + seconds
        before = len(self.seen)
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            if await self.server.receive_nothing(timeout=left):
                break
            await self._more(1)
            while "\n\n" in self.text:
                frame, _, self.text = self.text.partition("\n\n")
                self._event(frame)
        return len(self.seen) == before

    async def end(self, timeout: float = 5) -> None:
        """Until the server has ended it."""
        while not self.ended:
            await self._more(timeout)
        while "\n\n" in self.text:
            frame, _, self.text = self.text.partition("\n\n")
            self._event(frame)

    async def close(self) -> None:
        """Go, as a client does whose connection is lost."""
        if not self.server.future.done():
            await self.server.send_input({"type": "http.disconnect"})
        await self.server.wait(5)


async def moved_on(one):
    """Until the id is of a later time than everything before now."""
    began = time.time()
    while (mark := marks.read(one.id)) is None or mark.at < int(began) + 1:
        await one.nothing(0.2)
        assert time.time() < began + 15, one.id


async def resumed(streams, one, secret, query="", **options):
    """The same stream once more, from where `one` was interrupted."""
    await one.close()
    headers = [(b"last-event-id", one.id.encode())]
    again = await streams(query, state=one.state, secret=secret, headers=headers, **options)
    assert again.status == 200
    return again
