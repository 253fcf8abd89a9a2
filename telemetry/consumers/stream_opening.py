"""What must be right before an event stream begins; everything else is a problem object."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from channels.security.websocket import OriginValidator
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError

from telemetry.consumers.access import Access, admitted, secret_of
from telemetry.consumers.requests import MAX_NAMES
from telemetry.consumers.subscriptions import Wishes, look
from tenants.api.throttling import use
from tenants.errors import DomainError

METHODS: Final = ("GET", "HEAD")
MAX_NAME: Final = 64
MAX_QUERY: Final = 64 * 1024
PARAMETERS: Final = ("fleets", "vehicles", "alerts", "after")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query and the headers ask for. `after`: the id to go on from, or empty."""

    wishes: Wishes
    alerts: bool
    after: str


@dataclass(frozen=True, slots=True)
class Opening:
    """A stream that may begin. `scope` is how access is looked at again."""

    access: Access
    asked: Asked
    scope: dict[str, Any]


def open_stream(scope: dict[str, Any]) -> Opening:
    """Reads the database. Raises DomainError: 401, 403, 405, 422, 429 or 503."""
    request = ASGIRequest(scope, io.BytesIO())
    _check_transport(request)
    scope = scope | {"session": _session_of(request)}
    if secret_of(scope) is None:
        _check_origin(request.headers.get("Origin"))
    try:
        access = admitted(scope)
        _check_rate(access)
        asked = asked_of(request.META["QUERY_STRING"], request.headers.get("Last-Event-ID"))
        _check_names(access, asked.wishes)
    except DatabaseError as error:
        raise unavailable("The stream cannot begin now.") from error
    return Opening(access, asked, scope)


def unavailable(detail: str) -> DomainError:
    return DomainError("unavailable", 503, detail, retry_after=5)


def _check_transport(request: ASGIRequest) -> None:
    """What Django's own middleware sees to for every other address of the API."""
    if request.method not in METHODS:
        raise DomainError("method_not_allowed", 405, "This method is not offered here.")
    try:
        request.get_host()
    except DisallowedHost as error:
        raise DomainError("bad_request", 400, "This host is not served here.") from error
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        raise DomainError("https_required", 403, "Secrets travel over HTTPS only.")


def _session_of(request: ASGIRequest) -> Any:
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def _check_origin(origin: str | None) -> None:
    """A session is good for our own pages only; those send no Origin, or ours."""
    if origin is None:
        return
    try:
        ours = OriginValidator(None, settings.ALLOWED_HOSTS).valid_origin(urlsplit(origin))
    except ValueError:
        ours = False
    if not ours:
        raise DomainError("forbidden", 403, "A session is good for our own pages only.")


def _check_rate(access: Access) -> None:
    rate = use(access.caller)
    if rate is not None and rate.exceeded:
        raise DomainError("throttled", 429, "Too many requests.", retry_after=rate.reset_s)


def asked_of(query: str, last_event_id: str | None) -> Asked:
    """Strict: a misspelt filter must not silently mean everything. Raises DomainError 422.

    A browser that reconnects repeats its address and adds the header, so the header counts.
    """
    found = _parameters(query)
    fleets, vehicles = _names(found, "fleets"), _names(found, "vehicles")
    alerts = found.get("alerts", "true")
    if alerts not in ("true", "false"):
        raise _invalid("alerts", "Say true or false.")
    wishes = Wishes(not fleets and not vehicles, fleets, vehicles)
    return Asked(wishes, alerts == "true", last_event_id or found.get("after", ""))


def _parameters(query: str) -> dict[str, str]:
    if len(query) > MAX_QUERY:
        raise _invalid("", f"The query is longer than {MAX_QUERY} characters.")
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in PARAMETERS:
            raise _invalid(name[:MAX_NAME], "There is no such parameter.")
        if name in found:
            raise _invalid(name, "Say it once; names go with commas between.")
        found[name] = value
    return found


def _names(found: dict[str, str], kind: str) -> frozenset[str]:
    if kind not in found:
        return frozenset()
    names = found[kind].split(",")
    if len(names) > MAX_NAMES:
        raise _invalid(kind, f"At most {MAX_NAMES} by name; leave it out for all.")
    if not all(0 < len(name) <= MAX_NAME and name.isprintable() for name in names):
        raise _invalid(kind, "Names as you gave them, with commas between.")
    return frozenset(names)


def _check_names(access: Access, wishes: Wishes) -> None:
    """A stream of nothing is a mistake; of names that are partly right, the rest is told."""
    missing = look(access.tenant_id, wishes).missing if not wishes.all_fleets else []
    if missing and len(missing) == len(wishes.fleets) + len(wishes.vehicles):
        raise _invalid("fleets" if wishes.fleets else "vehicles", "There is nothing of that name.")


def _invalid(field: str, detail: str) -> DomainError:
    errors = [{"field": field, "code": "invalid", "detail": detail}]
    return DomainError("invalid", 422, "The query is not valid.", errors=errors)
