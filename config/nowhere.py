"""Where sockets end that ask for a path there is not: refused, and nothing worth a traceback."""

from __future__ import annotations

from typing import Any


async def nowhere(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "websocket.http.response.start", "status": 404, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"No such socket."})
