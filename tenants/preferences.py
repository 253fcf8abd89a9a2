"""How the person of this request likes values shown: their own choice, else the organisation's.

What is decided or stored (a rule's hours, a digest, an API's answer) follows the organisation
and never asks here; only pages do.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from tenants.models import Organisation, Units, User

_person: ContextVar[object] = ContextVar("person", default=None)


class PreferencesMiddleware:
    """Remembers whose request this is, and answers it in their language."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Not read yet: a request without a session asks the database nothing.
        mark = _person.set(request.user)
        try:
            if settings.SESSION_COOKIE_NAME in request.COOKIES:
                language = getattr(request.user, "language", "")
                if language in dict(settings.LANGUAGES):
                    translation.activate(language)
            return self.get_response(request)
        finally:
            _person.reset(mark)


def zone_of(organisation: Organisation | None) -> ZoneInfo:
    """The zone in which times are shown."""
    own = _own("time_zone")
    return ZoneInfo(own or (organisation.time_zone if organisation else "UTC"))


def is_imperial(organisation: Organisation | None) -> bool:
    """Miles and degrees Fahrenheit rather than kilometres and Celsius."""
    own = _own("units")
    return (own or (organisation.units if organisation else "")) == Units.IMPERIAL


def _own(name: str) -> str:
    person = _person.get()
    # An outsider of requests (a task, a command) has no preferences.
    return str(getattr(person, name, "")) if isinstance(person, User) else ""
