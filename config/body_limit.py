"""A bound on HTTP bodies, kept while they arrive.

Django collects a body, on disk where it is large, before any view is asked: without a bound
here one client could fill the disk. Views have their own, smaller bounds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from tenants.errors import PROBLEM_TYPE, problem

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]


class _TooLarge(Exception):
    pass


class BodyLimit:
    """ASGI: answers 413 where a body is, or becomes, larger than `limit` bytes."""

    def __init__(self, application: Application, *, limit: int) -> None:
        self._application = application
        self._limit = limit

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        announced = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        if not announced.isdigit() or int(announced) > self._limit:
            await self._refuse(send)
            return
        received = 0

        async def bounded() -> Event:
            nonlocal received
            event = await receive()
            received += len(event.get("body", b""))
            if received > self._limit:
                raise _TooLarge
            return event

        try:
            await self._application(scope, bounded, send)
        except _TooLarge:
            await self._refuse(send)

    async def _refuse(self, send: Send) -> None:
        detail = f"The body is larger than {self._limit} bytes."
        body = msgspec.json.encode(problem("too_large", 413, detail))
        headers = [
            (b"content-type", PROBLEM_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})
