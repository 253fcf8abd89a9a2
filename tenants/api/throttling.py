"""Rate limits, per token or person."""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from tenants.actors import Actor
from tenants.addresses import address_of

logger = structlog.get_logger(__name__)

PERIODS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class RateLimit(NamedTuple):
    """What is left of the current window; written to the `RateLimit-*` headers."""

    limit: int
    remaining: int
    reset_s: int


class PerToken(BaseThrottle):
    """A counter per caller and fixed window: one increment a request, in every process.

    Without the cache nobody is throttled: a reading API that works beats a limit.
    """

    def __init__(self) -> None:
        self.rate_limit: RateLimit | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        limit, period = _rate(str(api_settings.DEFAULT_THROTTLE_RATES["token"]))
        now = time.time()
        window = int(now // period)
        key = f"rate:{_caller(request)}:{window}"
        try:
            used = _increment(key, period)
        except RedisError:
            logger.warning("rate_limit_unavailable")
            return True
        reset_s = max(1, int((window + 1) * period - now) + 1)
        self.rate_limit = RateLimit(limit, max(0, limit - used), reset_s)
        # The view writes it into the headers of whatever it answers.
        view.rate_limit = self.rate_limit
        return used <= limit

    def wait(self) -> float | None:
        return float(self.rate_limit.reset_s) if self.rate_limit else None


def _increment(key: str, period: int) -> int:
    if cache.add(key, 1, timeout=period + 1):
        return 1
    try:
        return cache.incr(key)
    except ValueError:  # it expired in between
        cache.set(key, 1, timeout=period + 1)
        return 1


def _caller(request: Request) -> str:
    actor = request.auth
    if not isinstance(actor, Actor):
        return f"a{address_of(request._request)}"
    return f"t{actor.token.prefix}" if actor.token else f"u{actor.user.pk if actor.user else 0}"


def _rate(text: str) -> tuple[int, int]:
    count, _, period = text.partition("/")
    return int(count), PERIODS[period[0]]
