"""Who calls the API: an integration by its token, or a logged-in person by their session.

Both leave an `Actor` in `request.auth`: the organisation, the scopes, and the name for
the audit trail. A view needs nothing else.
"""

from __future__ import annotations

import structlog
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from tenants.actors import Actor
from tenants.addresses import address_of
from tenants.errors import DomainError
from tenants.models import User
from tenants.selectors import actor_for_request, note_token_use, token_from_secret


class TokenUser(AnonymousUser):
    """An integration is no person, but neither is it a stranger."""

    @property
    def is_authenticated(self) -> bool:  # type: ignore[override]
        return True


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer ort_…`"""

    def authenticate(self, request: Request) -> tuple[TokenUser, Actor] | None:
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        now = timezone.now()
        token = token_from_secret(secret.strip().decode("latin-1"), now=now)
        if token is None:
            raise AuthenticationFailed(
                "The token is unknown, expired or revoked.", code="token_invalid"
            )
        note_token_use(token, now=now)
        structlog.contextvars.bind_contextvars(tenant_id=token.tenant_id)
        return TokenUser(), Actor.integration(token, address=address_of(request._request))

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="outrider"'


class MemberSessionAuthentication(SessionAuthentication):
    """The session of a logged-in person; CSRF is enforced on everything that changes."""

    def authenticate(self, request: Request) -> tuple[User, Actor] | None:
        authenticated = super().authenticate(request)
        if authenticated is None:
            return None
        actor = actor_for_request(request._request)
        if actor is None:
            raise DomainError("no_organisation", 403, "You are not a member of any organisation.")
        structlog.contextvars.bind_contextvars(tenant_id=actor.tenant.pk)
        return authenticated[0], actor
