"""Static files, answered before Django is asked.

In Django a file costs ten times as much: each request has a thread, and passes all middleware
above WhiteNoise. A page that is opened for the first time asks for some sixty files at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from whitenoise.middleware import WhiteNoiseMiddleware

from config.body_limit import Application, Event, Receive, Send

CHUNK: Final = 64 * 1024
"""Bytes that are sent at once, and then as many as the reader has taken."""
_ASKED: Final = {
    b"accept-encoding": "HTTP_ACCEPT_ENCODING",
    b"if-modified-since": "HTTP_IF_MODIFIED_SINCE",
    b"if-none-match": "HTTP_IF_NONE_MATCH",
    b"range": "HTTP_RANGE",
}
"""Headers that WhiteNoise looks at, and as what."""


class StaticFiles:
    """ASGI: answers with a collected file, of those that were there at the start; else leaves
    the answer to `application`."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._collected = WhiteNoiseMiddleware()

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        file = self._file(scope["path"])
        if file is None:
            await self._application(scope, receive, send)
            return
        asked = {
            _ASKED[name]: value.decode("latin-1")
            for name, value in scope["headers"]
            if name in _ASKED
        }
        answer = file.get_response(scope["method"], asked)
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        headers.append((b"x-content-type-options", b"nosniff"))
        await send(
            {"type": "http.response.start", "status": int(answer.status), "headers": headers}
        )
        for body in _chunks(answer.file):
            await send(
                {"type": "http.response.body", "body": body, "more_body": len(body) == CHUNK}
            )

    def _file(self, path: str) -> Any:
        # Where files are looked for anew each time, it is WhiteNoise that keeps to its folders.
        if self._collected.autorefresh:
            return self._collected.find_file(path)
        return self._collected.files.get(path)


def _chunks(file: BinaryIO | None) -> Iterator[bytes]:
    """At least one; only the last is shorter than `CHUNK`, and may be empty."""
    if file is None:
        yield b""
        return
    with file:
        while True:
            chunk = file.read(CHUNK)
            yield chunk
            if len(chunk) < CHUNK:
                return
