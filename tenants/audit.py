"""The audit trail: who did what to whom, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models

from tenants.actors import Actor
from tenants.models import AuditEntry, Organisation, User

LABEL_LENGTH = 160
REASON_LENGTH = 400


def record_audit(
    *,
    tenant: Organisation | None,
    actor: User | None,
    actor_label: str,
    action: str,
    target: str = "",
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    reason: str = "",
    address: str | None = None,
) -> AuditEntry:
    """Append one entry. `changes` is `{field: (before, after)}`; never a VIN or a secret.

    Call it in the transaction of what it records: neither is there without the other.
    """
    return AuditEntry.unscoped.create(
        tenant=tenant,
        actor=actor,
        actor_label=actor_label[:LABEL_LENGTH],
        action=action,
        target=target[:LABEL_LENGTH],
        changes={name: [_plain(a), _plain(b)] for name, (a, b) in (changes or {}).items()},
        reason=reason[:REASON_LENGTH],
        address=address,
    )


def record(
    actor: Actor,
    action: str,
    target: str = "",
    *,
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Append what an actor did inside their organisation."""
    return record_audit(
        tenant=actor.tenant,
        actor=actor.user,
        actor_label=actor.label,
        action=action,
        target=target,
        changes=changes,
        reason=reason,
        address=actor.address,
    )


def changes_between(row: models.Model, fields: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """`{field: (before, after)}` of the given values that differ from the row's."""
    return {
        name: (getattr(row, name), value)
        for name, value in fields.items()
        if getattr(row, name) != value
    }


def _plain(value: Any) -> Any:
    """As JSON keeps it."""
    if isinstance(value, models.Model):
        reference = getattr(value, "reference", None)
        # Its name as it was then: by the reference alone nobody knows it again.
        return f"{value} ({reference})" if reference not in (None, str(value)) else str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value
