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
    exceeded: bool


class PerToken(BaseThrottle):
    """A counter per caller and fixed window: one increment a request, in every process.

    Without the cache nobody is throttled: a reading API that works beats a limit.
    """

    def __init__(self) -> None:
        self.rate_limit: RateLimit | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        self.rate_limit = use(_caller(request))
        if self.rate_limit is None:
            return True
        # The view writes it into the headers of whatever it answers.
        view.rate_limit = self.rate_limit
        return not self.rate_limit.exceeded

    def wait(self) -> float | None:
        return float(self.rate_limit.reset_s) if self.rate_limit else None


def use(caller: str) -> RateLimit | None:
    """Count one request of a caller (`t` and a token's prefix, `u` and a person's key); None
    where the counters are out of reach."""
    limit, period = _rate(str(api_settings.DEFAULT_THROTTLE_RATES["token"]))
    now = time.time()
    window = int(now // period)
    try:
        used = _increment(f"rate:{caller}:{window}", period)
    except RedisError:
        logger.warning("rate_limit_unavailable")
        return None
    reset_s = max(1, int((window + 1) * period - now) + 1)
    return RateLimit(limit, max(0, limit - used), reset_s, used > limit)


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
