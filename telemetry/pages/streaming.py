"""Files of any length, sent as they are made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

LINES: Final = 500
"""Sent together."""


def streamed(
    request: HttpRequest, lines: Iterable[str], *, content_type: str, name: str
) -> StreamingHttpResponse:
    """A download. Under ASGI an iterator that is not async would be read whole first."""
    parts = _parts(iter(lines))
    body = _asynchronous(parts) if isinstance(request, ASGIRequest) else parts
    response = StreamingHttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _parts(lines: Iterator[str]) -> Iterator[bytes]:
    while part := "".join(islice(lines, LINES)):
        yield part.encode()


async def _asynchronous(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    following = sync_to_async(lambda: next(parts, None))
    while (part := await following()) is not None:
        yield part
