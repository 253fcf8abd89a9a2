"""The platform's staff: an organisation of their own, so that their inbox, channels and
escalation are those that everybody has."""

from __future__ import annotations

from django.db import transaction

from alerts.rules import PLATFORM
from alerts.starting import ensure_starting_rules
from tenants import services
from tenants.actors import Actor
from tenants.models import Membership, Organisation, Role, User

NAME = "Platform staff"


def ensure_staff() -> Organisation | None:
    """The staff's organisation, with every member of staff in it and its starting rules.

    Superusers own it, others act on its alerts. People are added, never taken out: that is
    for its owners. None: there is no superuser yet. Called at set-up and by the beat.
    """
    staff = User.objects.filter(is_staff=True, is_active=True)
    if not staff.filter(is_superuser=True).exists():
        return None
    tenant = Organisation.objects.filter(slug=PLATFORM).first()
    missing = staff.order_by("-is_superuser", "pk")
    if tenant is not None:
        members = Membership.objects.for_tenant(tenant)
        missing = missing.exclude(pk__in=members.values("user"))
        if not missing.exists():
            return tenant
    with transaction.atomic():
        return _complete(tenant, list(missing))


def _complete(tenant: Organisation | None, missing: list[User]) -> Organisation:
    if tenant is None:
        tenant = services.create_organisation(
            name=NAME, slug=PLATFORM, owner=missing.pop(0), actor_label="Outrider"
        )
    actor = Actor.command(tenant, "Outrider")
    for person in missing:
        role = Role.OWNER if person.is_superuser else Role.DISPATCHER
        services.add_member(actor=actor, email=person.email, role=role)
    ensure_starting_rules(tenant)
    return tenant
