"""Errors as `application/problem+json` (RFC 9457)."""

from collections.abc import Callable
from typing import Any


class ProblemMiddleware:
    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self.get_response(request)
