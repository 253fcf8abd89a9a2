"""Pages travel compressed.

Only pages: static files are compressed when they are collected, the parts that a page fetches
decide for themselves, and answers of the API are small and many. A page reflects what its
address says beside secrets (CSRF token, nonce); the token is masked anew in every answer, and
Django's middleware makes the length of each answer random (BREACH).
"""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class CompressedPages(GZipMiddleware):
    """gzip for whatever is HTML, where the client takes it."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if not response.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)
