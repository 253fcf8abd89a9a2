"""Fleets."""

from typing import Any

from django.db import transaction

from fleet.models import Fleet, Meter, Vehicle
from fleet.services import rows
from tenants.actors import Actor
from tenants.errors import DomainError


@transaction.atomic
def create_fleet(*, actor: Actor, reference: str, name: str) -> Fleet:
    """A new fleet."""
    return rows.create(Fleet, actor=actor, fields={"reference": reference, "name": name})


@transaction.atomic
def update_fleet(*, actor: Actor, fleet: Fleet, **fields: Any) -> Fleet:
    """Change reference or name."""
    fleet = rows.lock_in_service(fleet, actor=actor)
    rows.update(fleet, actor=actor, fields=fields)
    return fleet


@transaction.atomic
def archive_fleet(*, actor: Actor, fleet: Fleet) -> Fleet:
    """Take an empty fleet out of service."""
    fleet = rows.lock(fleet, actor=actor)
    for model in (Vehicle, Meter):
        inside = model.objects.for_tenant(actor.tenant).filter(fleet=fleet, archived_at=None)
        if inside.exists():
            raise DomainError("fleet_not_empty", 409, "Move or archive what is in it first.")
    rows.archive(fleet, actor=actor)
    return fleet


@transaction.atomic
def restore_fleet(*, actor: Actor, fleet: Fleet) -> Fleet:
    """Put an archived fleet back into service."""
    fleet = rows.lock(fleet, actor=actor)
    rows.restore(fleet, actor=actor)
    return fleet
