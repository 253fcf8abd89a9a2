"""Named views of the live page: whose they are, who may open them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from telemetry.models import SavedView
from telemetry.models.saved_views import MAX_QUERY
from tenants.actors import Actor
from tenants.audit import record
from tenants.errors import DomainError

MOST = 100
"""Of one person."""
KEPT = ("kind", "status", "sort", "fleet", "find", "selected", "at", "map")
"""Parameters of the live page; what else stands in an address is not kept."""


def views_for(actor: Actor) -> list[dict[str, Any]]:
    """One's own, and what others share, by name."""
    rows = (
        SavedView.objects.for_tenant(actor.tenant)
        .filter(Q(shared=True) | Q(owner=actor.user))
        .select_related("owner")
        .order_by("name", "pk")[: 5 * MOST]
    )
    return [
        {
            "id": str(row.public_id),
            "name": row.name,
            "query": row.query,
            "shared": row.shared,
            "mine": row.owner_id == (actor.user.pk if actor.user else None),
            "owner": row.owner.email,
        }
        for row in rows
    ]


@transaction.atomic
def save(*, actor: Actor, name: str, query: str) -> SavedView:
    """Under a name of one's own that exists already, the view is replaced."""
    owner = actor.user
    if owner is None:
        raise DomainError("forbidden", 403, _("Views belong to people; log in to keep one."))
    name = " ".join(name.split())
    if not name or len(name) > 80 or "\0" in name:
        raise DomainError("invalid", 400, _("Give the view a name of at most 80 letters."))
    kept = urlencode([pair for pair in parse_qsl(query) if pair[0] in KEPT])
    if len(kept) > MAX_QUERY or "\0" in kept:
        raise DomainError("invalid", 400, _("The view is too long to keep."))
    mine = SavedView.objects.for_tenant(actor.tenant).filter(owner=owner)
    if mine.count() >= MOST:
        raise DomainError("invalid", 400, _("You have as many views as can be kept."))
    view, made = mine.get_or_create(
        name=name, defaults={"tenant": actor.tenant, "owner": owner, "query": kept}
    )
    if not made:
        before, view.query = view.query, kept
        view.save(update_fields=["query"])
        if view.shared:
            record(actor, "view.changed", f"view {name}", changes={"query": (before, kept)})
    return view


@transaction.atomic
def share(*, actor: Actor, view_id: UUID, shared: bool) -> None:
    view = _own(actor, view_id)
    if view.shared == shared:
        return
    view.shared = shared
    view.save(update_fields=["shared"])
    record(actor, "view.shared", f"view {view.name}", changes={"shared": (not shared, shared)})


@transaction.atomic
def delete(*, actor: Actor, view_id: UUID) -> None:
    view = _own(actor, view_id)
    if view.shared:
        record(actor, "view.deleted", f"view {view.name}")
    view.delete()


def _own(actor: Actor, view_id: UUID) -> SavedView:
    """Only whose it is may change it; for others it is not there."""
    mine = SavedView.objects.for_tenant(actor.tenant).filter(owner=actor.user)
    view = mine.select_for_update(of=("self",)).filter(public_id=view_id).first()
    if view is None:
        raise DomainError("not_found", 404, _("There is no such view of yours."))
    return view
