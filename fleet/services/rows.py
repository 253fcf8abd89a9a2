"""What every service of a referenced thing does alike: lock, change, archive, record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.utils import timezone

from fleet.models import Fleet, Referenced
from fleet.tags import checked_tags
from tenants.actors import Actor
from tenants.audit import changes_between, record
from tenants.conflicts import refusing
from tenants.errors import DomainError

R = TypeVar("R", bound=Referenced)


def label(row: Referenced) -> str:
    """How the audit trail names a row, e.g. `vehicle V456`."""
    return f"{row._meta.model_name} {row.reference}"


def reference_taken(model: type[Referenced]) -> dict[str, DomainError]:
    """What the violation of the unique reference means."""
    name = model._meta.model_name
    refusal = DomainError("reference_taken", 409, f"Another {name} has this id.", field="id")
    return {f"{name}_reference_once_per_tenant": refusal}


def create(
    model: type[R],
    *,
    actor: Actor,
    fields: Mapping[str, Any],
    also: Mapping[str, DomainError] | None = None,
) -> R:
    """Insert and record; `also` names further constraints and their refusals."""
    fields = _with_checked_tags(fields)
    with refusing({**reference_taken(model), **(also or {})}):
        row = model.objects.create(tenant=actor.tenant, **fields)
    shown = {name: (None, value) for name, value in fields.items() if not name.startswith("vin_")}
    record(actor, f"{model._meta.model_name}.created", label(row), changes=shown)
    return row


def lock(row: R, *, actor: Actor) -> R:
    """The row as it is now, locked; another tenant's does not exist."""
    model = type(row)
    current = model.objects.for_tenant(actor.tenant).select_for_update().filter(pk=row.pk).first()
    if current is None:
        raise DomainError("not_found", 404, "There is nothing here, or it is not yours.")
    return current


def lock_in_service(row: R, *, actor: Actor) -> R:
    """The same, for changes that make no sense on something archived."""
    current = lock(row, actor=actor)
    if current.archived_at is not None:
        raise DomainError("archived", 409, "This is archived: restore it first.")
    return current


def update(
    row: R,
    *,
    actor: Actor,
    fields: Mapping[str, Any],
    also: Mapping[str, DomainError] | None = None,
) -> dict[str, tuple[Any, Any]]:
    """Write what differs on a locked row and record it; returns those changes."""
    changes = changes_between(row, _with_checked_tags(fields))
    if not changes:
        return {}
    for name, (_, value) in changes.items():
        setattr(row, name, value)
    with refusing({**reference_taken(type(row)), **(also or {})}):
        row.save(update_fields=list(changes))
    shown = {name: pair for name, pair in changes.items() if not name.startswith("vin_")}
    record(actor, f"{row._meta.model_name}.updated", label(row), changes=shown)
    return changes


def _with_checked_tags(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**fields, "tags": checked_tags(fields["tags"])} if "tags" in fields else fields


def archive(row: Referenced, *, actor: Actor) -> bool:
    """Take a locked row out of service; False where it was already."""
    if row.archived_at is not None:
        return False
    row.archived_at = timezone.now()
    row.save(update_fields=["archived_at"])
    record(actor, f"{row._meta.model_name}.archived", label(row))
    return True


def restore(row: Referenced, *, actor: Actor) -> None:
    """Put a locked row back into service; no error where it is."""
    if row.archived_at is not None:
        row.archived_at = None
        row.save(update_fields=["archived_at"])
        record(actor, f"{row._meta.model_name}.restored", label(row))


def same_tenant(actor: Actor, *rows: Referenced | None) -> None:
    """Refuse to connect things across organisations, whatever an interface let through."""
    if any(row is not None and row.tenant_id != actor.tenant.pk for row in rows):
        raise DomainError("not_found", 404, "There is nothing here, or it is not yours.")


def open_fleet(fleet: Fleet, *, actor: Actor) -> Fleet:
    """The fleet, held against being archived until the commit."""
    current = lock(fleet, actor=actor)
    if current.archived_at is not None:
        raise DomainError("fleet_archived", 409, "The fleet is archived.", field="fleet")
    return current
