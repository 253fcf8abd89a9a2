"""Who someone is and what they may do: reads only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from tenants import secrets
from tenants.actors import Actor
from tenants.addresses import address_of
from tenants.models import ApiToken, Membership, Organisation, SupportAccess, User

SESSION_TENANT: Final = "tenant_id"
"""Session key: the organisation a person has chosen to work in."""

LAST_USED_RESOLUTION: Final = timedelta(minutes=1)


def token_from_secret(secret: str, *, now: datetime) -> ApiToken | None:
    """The usable token this secret belongs to, with its organisation. One indexed query."""
    prefix = secrets.prefix_of(secrets.API_TOKEN, secret)
    if prefix is None:
        return None
    token = ApiToken.unscoped.select_related("tenant").filter(prefix=prefix).first()
    if token is None or not secrets.matches(secret, token.digest):
        return None
    if not token.usable_at(now) or token.tenant.archived_at is not None:
        return None
    return token


def note_token_use(token: ApiToken, *, now: datetime) -> None:
    """Write `last_used_at`, at most once a minute however many requests arrive."""
    stale = now - LAST_USED_RESOLUTION
    if token.last_used_at is not None and token.last_used_at > stale:
        return
    ApiToken.unscoped.filter(
        Q(last_used_at__isnull=True) | Q(last_used_at__lte=stale), pk=token.pk
    ).update(last_used_at=now)


def memberships_of(user: User) -> QuerySet[Membership]:
    """The person's memberships in organisations that are not archived, by name."""
    return (
        Membership.unscoped.filter(user=user, tenant__archived_at__isnull=True)
        .select_related("tenant")
        .order_by("tenant__name", "pk")
    )


def active_support_of(user: User, *, now: datetime | None = None) -> QuerySet[SupportAccess]:
    """Support accesses that a member of staff holds now, the newest first."""
    if not (user.is_active and user.is_staff):
        return SupportAccess.unscoped.none()
    return (
        SupportAccess.unscoped.filter(
            staff=user, ended_at__isnull=True, expires_at__gt=now or timezone.now()
        )
        .select_related("tenant")
        .order_by("-granted_at")
    )


def actor_for(
    user: User, *, tenant_id: int | None = None, address: str | None = None
) -> Actor | None:
    """The person inside an organisation: the chosen one, else their first; None: in none.

    A chosen organisation that the person has left falls back to their first.
    """
    memberships = list(memberships_of(user))
    chosen = next((m for m in memberships if m.tenant_id == tenant_id), None)
    if chosen is None and user.is_staff:
        accesses = active_support_of(user)
        wanted = accesses.filter(tenant_id=tenant_id) if tenant_id is not None else accesses
        access = wanted.first() if (tenant_id is not None or not memberships) else None
        if access is not None:
            return Actor.support(access.tenant, user, address=address)
    membership = chosen or next(iter(memberships), None)
    if membership is None:
        return None
    return Actor.member(membership.tenant, user, membership.role, address=address)


def actor_for_request(request: HttpRequest) -> Actor | None:
    """The logged-in person of a request inside their organisation."""
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        return None
    return actor_for(
        user, tenant_id=request.session.get(SESSION_TENANT), address=address_of(request)
    )


def tenant_for_request(request: HttpRequest) -> Organisation | None:
    """The organisation a logged-in person works in."""
    actor = actor_for_request(request)
    return actor.tenant if actor else None


def scopes_of(user: User, tenant: Organisation) -> frozenset[str]:
    """What the person may do in this organisation; nothing for an outsider."""
    actor = actor_for(user, tenant_id=tenant.pk)
    return actor.scopes if actor and actor.tenant == tenant else frozenset()
