"""When each log-in was last used, and from where: what people look at before they end one.
And when a person was here, and when they had left before they came again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import structlog
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import Case, F, When
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from redis.exceptions import RedisError

from tenants.addresses import address_of
from tenants.models import User

logger = structlog.get_logger(__name__)

RESOLUTION_S: Final = 60
"""A session's row is written once in so many seconds, however busy its pages are."""
LONGEST_AGENT: Final = 200
AWAY: Final = timedelta(minutes=30)
"""Who does nothing for so long has left."""


class ActivityMiddleware:
    """Notes a session's use, after the answer is made."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        key = request.session.session_key
        # Whether the session was opened says whether this request had to do with a person.
        if key and request.session.accessed and isinstance(request.user, User):
            if is_due(key):
                note(request, key)
            if is_of_a_person(request):
                note_presence(request.user)
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


def is_of_a_person(request: HttpRequest) -> bool:
    """Somebody opened a page or did something. What an unattended page asks for by itself
    shows nobody to be there."""
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        return True
    if mode := request.headers.get("sec-fetch-mode"):
        return mode == "navigate"
    # Browsers do not say how they ask where the connection is not a safe one.
    asks_for_a_page = "text/html" in request.headers.get("accept", "")
    return asks_for_a_page and "hx-request" not in request.headers


def note_presence(person: User) -> None:
    """Of a person who comes back, keep when they had left."""
    now = timezone.now()
    if person.seen_at is not None and now - person.seen_at < timedelta(seconds=RESOLUTION_S):
        return
    back = When(seen_at__lt=now - AWAY, then=F("seen_at"))
    User.objects.filter(pk=person.pk).update(left_at=Case(back, default=F("left_at")), seen_at=now)


def left_at(person: User, now: datetime) -> datetime | None:
    """When the person left before they came this time; None: they never have."""
    if person.seen_at is not None and now - person.seen_at > AWAY:
        return person.seen_at  # This is the very request they come back with.
    return person.left_at


def is_due(key: str) -> bool:
    """Whether the session was not noted for a while; asking notes that it is about to be."""
    try:
        # The key opens the session: it does not stand in the cache.
        mark = f"seen:{sha256(key.encode()).hexdigest()[:32]}"
        return bool(cache.add(mark, 1, RESOLUTION_S))
    except RedisError:
        return False
