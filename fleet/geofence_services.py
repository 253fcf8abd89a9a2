"""Changes to geofences, audited. The shape is checked by whoever offers it: see `alerts`."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from fleet.geofences import COLOUR, Geofence
from tenants.actors import Actor
from tenants.audit import changes_between, record
from tenants.conflicts import refusing
from tenants.errors import DomainError

_TAKEN = {
    "geofence_reference_once_per_tenant": DomainError(
        "reference_taken", 409, "Another geofence has this id."
    )
}


@transaction.atomic
def create_geofence(
    *, actor: Actor, reference: str, name: str, shape: dict[str, Any], colour: str = COLOUR
) -> Geofence:
    with refusing(_TAKEN):
        fence = Geofence.objects.create(
            tenant=actor.tenant, reference=reference, name=name, shape=shape, colour=colour
        )
    record(actor, "geofence.created", f"geofence {reference}", changes={"shape": (None, shape)})
    return fence


@transaction.atomic
def update_geofence(*, actor: Actor, geofence: Geofence, **fields: Any) -> Geofence:
    """Change reference, name, shape or colour; `archived_at=None` restores."""
    changes = changes_between(geofence, fields)
    for name, (_, value) in changes.items():
        setattr(geofence, name, value)
    with refusing(_TAKEN):
        geofence.save()
    if changes:
        record(actor, "geofence.updated", f"geofence {geofence.reference}", changes=changes)
    return geofence


@transaction.atomic
def archive_geofence(*, actor: Actor, geofence: Geofence) -> Geofence:
    geofence.archived_at = timezone.now()
    geofence.save(update_fields=["archived_at"])
    record(actor, "geofence.archived", f"geofence {geofence.reference}")
    return geofence
