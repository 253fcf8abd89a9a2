"""Django with one thread a request.

Django's own handler for ASGI runs a chain of synchronous and asynchronous middleware by turns:
at each seam the request goes to a thread or back to the loop. All views and middleware of the
pages are synchronous, so the whole chain runs in the request's thread, and is entered once.
"""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class OneThreadHandler(ASGIHandler):
    """An asynchronous view still runs on the loop."""

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await sync_to_async(self.get_response, thread_sensitive=True)(
            request
        )
        return response
