"""What a person did by mistake, taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from alerts.announce import announce
from alerts.channels import require_change, require_room
from alerts.models import (
    Alert,
    AlertState,
    AlertTransition,
    Channel,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    Rule,
)
from alerts.recording import Recorded
from alerts.rulebook import announce_change
from tenants.actors import Actor
from tenants.audit import record
from tenants.conflicts import refusing
from tenants.errors import DomainError


@transaction.atomic
def unacknowledge(*, actor: Actor, alerts: Sequence[Alert]) -> list[Alert]:
    """Nobody has it after all: it is open again, and escalates where that is still to come."""
    changed = [a for a in _locked(actor, alerts) if a.state == AlertState.ACKNOWLEDGED]
    for alert in changed:
        alert.state = AlertState.OPEN
        alert.acknowledged_at, alert.acknowledged_by = None, ""
    _save(actor, changed, ["state", "acknowledged_at", "acknowledged_by"], "reopened")
    return changed


@transaction.atomic
def wake(*, actor: Actor, alerts: Sequence[Alert]) -> list[Alert]:
    """Bring snoozed alerts back into sight."""
    changed = [a for a in _locked(actor, alerts) if a.snoozed_until is not None]
    for alert in changed:
        alert.snoozed_until = None
    _save(actor, changed, ["snoozed_until"], "woken")
    return changed


def _locked(actor: Actor, alerts: Sequence[Alert]) -> list[Alert]:
    rows = Alert.objects.for_tenant(actor.tenant).filter(pk__in=[alert.pk for alert in alerts])
    return list(rows.order_by("pk").select_for_update(of=("self",)))


def _save(actor: Actor, changed: list[Alert], fields: list[str], change: str) -> None:
    now = timezone.now()
    for alert in changed:
        alert.updated_at = now
    Alert.objects.for_tenant(actor.tenant).bulk_update(changed, [*fields, "updated_at"])
    AlertTransition.objects.for_tenant(actor.tenant).bulk_create(
        AlertTransition(
            tenant_id=alert.tenant_id,
            alert=alert,
            change=change,
            at=now,
            actor=actor.user,
            actor_label=actor.label,
        )
        for alert in changed
    )
    _escalate_again([a for a in changed if a.state == AlertState.OPEN], actor=actor, now=now)
    announce(Recorded(events=[("alert.updated", alert) for alert in changed]))


def _escalate_again(alerts: list[Alert], *, actor: Actor, now: datetime) -> None:
    """Steps that were cancelled and would still be ahead are ahead once more."""
    Delivery.objects.for_tenant(actor.tenant).filter(
        alert__in=alerts,
        event=DeliveryEvent.OPENED,
        status=DeliveryStatus.CANCELLED,
        step__gt=0,
        due_at__gt=now,
        channel__enabled=True,
        channel__archived_at=None,
    ).update(status=DeliveryStatus.QUEUED)


@transaction.atomic
def restore_rule(*, actor: Actor, rule: Rule) -> Rule:
    """Bring back a rule that was removed. Its alerts, resolved with it, stay resolved."""
    taken = DomainError("name_taken", 409, "Another rule has this name.")
    with refusing({"rule_name_once_per_tenant": taken}):
        restored = (
            Rule.objects.for_tenant(actor.tenant)
            .filter(pk=rule.pk, archived_at__isnull=False)
            .update(archived_at=None)
        )
    if restored:
        record(actor, "rule.restored", f"rule {rule.name}")
        transaction.on_commit(announce_change)
    return rule


@transaction.atomic
def restore_channel(*, actor: Actor, channel: Channel) -> Channel:
    """Bring back a channel that was removed. What was cancelled with it stays cancelled."""
    require_change(actor, channel)
    require_room(actor, channel.user)
    restored = (
        Channel.objects.for_tenant(actor.tenant)
        .filter(pk=channel.pk, archived_at__isnull=False)
        .update(archived_at=None)
    )
    if restored:
        record(actor, "channel.restored", f"channel {channel.name}")
    return channel
