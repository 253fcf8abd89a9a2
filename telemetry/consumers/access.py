"""Who is at the other end of a live connection, and may they still be there."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.utils import timezone

from telemetry.rooms import alerts_group_of
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.selectors import actor_for_request, token_from_secret

TOKEN_PROTOCOL = "bearer."  # noqa: S105 (a prefix, not a secret)


@dataclass(frozen=True, slots=True)
class Access:
    """Leave to read one tenant's telemetry. `groups` are told when it may have ended, and of
    the tenant's alerts; `caller` names the token or the person, where uses are counted."""

    tenant_id: int
    groups: tuple[str, ...]
    caller: str


def secret_of(scope: dict[str, Any]) -> str | None:
    """The API token offered at the handshake: a Bearer header, or a subprotocol
    `bearer.TOKEN` for clients that cannot set headers (browsers)."""
    for name, value in scope.get("headers", ()):
        if name == b"authorization":
            kind, _, secret = value.decode("latin-1").partition(" ")
            return secret.strip() if kind.lower() == "bearer" else ""
    for protocol in scope.get("subprotocols", ()):
        if protocol.startswith(TOKEN_PROTOCOL):
            return str(protocol[len(TOKEN_PROTOCOL) :])
    return None


def access_of(scope: dict[str, Any]) -> Access | None:
    """What the handshake's credential is good for at this moment; None: nothing."""
    try:
        return admitted(scope)
    except DomainError:
        return None


def admitted(scope: dict[str, Any]) -> Access:
    """The same, saying why not by a DomainError of 401 or 403.

    Reads the database anew each time, so that asking again notices a revoked token, an
    ended session, a removed member and an archived organisation.
    """
    secret = secret_of(scope)
    if secret is not None:
        return _access_of_token(secret)
    return _access_of_session(scope)


def _access_of_token(secret: str) -> Access:
    token = token_from_secret(secret, now=timezone.now())
    if token is None:
        raise DomainError("token_invalid", 401, "The token is unknown, expired or revoked.")
    _require(Scope.TELEMETRY_READ in token.scopes)
    return _access(token.tenant_id, f"access.token.{token.pk}", f"t{token.prefix}")


def _access_of_session(scope: dict[str, Any]) -> Access:
    # The handshake's own session object remembers what it once read: read anew.
    key = scope["session"].session_key if "session" in scope else None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    request.user = get_user(request)
    if not request.user.is_authenticated:
        raise DomainError("not_authenticated", 401, "Send an API token, or log in.")
    actor = actor_for_request(request)
    if actor is None or actor.user is None:
        raise DomainError("no_organisation", 403, "You are not a member of any organisation.")
    _require(Scope.TELEMETRY_READ in actor.scopes)
    return _access(actor.tenant.pk, f"access.user.{actor.user.pk}", f"u{actor.user.pk}")


def _require(may_read: bool) -> None:
    if not may_read:
        raise DomainError("scope_missing", 403, f"This needs the scope {Scope.TELEMETRY_READ}.")


def _access(tenant_id: int, holders: str, caller: str) -> Access:
    return Access(
        tenant_id, (f"access.tenant.{tenant_id}", holders, alerts_group_of(tenant_id)), caller
    )
