"""When each log-in was last used, and from where: what people look at before they end one."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final

import structlog
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from redis.exceptions import RedisError

from tenants.addresses import address_of
from tenants.models import User

logger = structlog.get_logger(__name__)

RESOLUTION_S: Final = 60
"""A session's row is written once in so many seconds, however busy its pages are."""
LONGEST_AGENT: Final = 200


class ActivityMiddleware:
    """Notes a session's use, after the answer is made."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        key = request.session.session_key
        # Whether the session was opened says whether this request had to do with a person.
        if key and request.session.accessed and isinstance(request.user, User) and is_due(key):
            note(request, key)
        return response


def note(request: HttpRequest, key: str) -> None:
    """List the session, or bring its row up to date."""
    latest = {
        "ip": address_of(request) or "0.0.0.0",  # noqa: S104 (unknown, not a socket)
        "user_agent": request.headers.get("user-agent", "")[:LONGEST_AGENT],
        "last_seen_at": timezone.now(),
    }
    if UserSession.objects.filter(session_key=key, user=request.user).update(**latest):
        return
    try:
        with transaction.atomic():
            UserSession.objects.create(session_key=key, user=request.user, **latest)
    except IntegrityError:
        logger.info("session_listed_twice")  # by another request of the same page


def is_due(key: str) -> bool:
    """Whether the session was not noted for a while; asking notes that it is about to be."""
    try:
        # The key opens the session: it does not stand in the cache.
        mark = f"seen:{sha256(key.encode()).hexdigest()[:32]}"
        return bool(cache.add(mark, 1, RESOLUTION_S))
    except RedisError:
        return False
