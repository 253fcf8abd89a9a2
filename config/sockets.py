"""What holds for every WebSocket: its largest message, and the end of those that go nowhere."""

from __future__ import annotations

from typing import Any, Final

MAX_FRAME: Final = 4 * 1024 * 1024
"""Bytes of a message that reach the application; the server closes with 1009 above this, while
it arrives. Consumers have bounds of their own below."""


async def nowhere(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A path there is not: refused, and nothing worth a traceback."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "websocket.http.response.start", "status": 404, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"No such socket."})
