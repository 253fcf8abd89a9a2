"""What people do with alerts: acknowledge, assign, snooze, note, resolve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from alerts.announce import announce
from alerts.models import Alert, AlertState, AlertTransition, Rule
from alerts.notify import cancel_escalation, deliveries_on_resolving, postpone_escalation
from alerts.recording import Recorded
from tenants.actors import Actor
from tenants.errors import DomainError
from tenants.models import Membership, User

LONGEST_SNOOZE = timedelta(days=30)


def _locked(actor: Actor, alerts: Sequence[Alert]) -> list[Alert]:
    """The same alerts, of this organisation, as they are now, nobody else changing them."""
    return list(
        Alert.objects.for_tenant(actor.tenant)
        .filter(pk__in=[alert.pk for alert in alerts])
        .order_by("pk")
        .select_for_update(of=("self",))
    )


def _step(actor: Actor, alert: Alert, change: str, note: str, **values: Any) -> AlertTransition:
    return AlertTransition(
        tenant_id=alert.tenant_id,
        alert=alert,
        change=change,
        at=timezone.now(),
        actor=actor.user,
        actor_label=actor.label,
        note=note,
        values=values,
    )


@transaction.atomic
def acknowledge(*, actor: Actor, alerts: Sequence[Alert], note: str = "") -> list[Alert]:
    """Somebody has seen them: nothing escalates any more. Those not open stay as they are."""
    now = timezone.now()
    changed = [alert for alert in _locked(actor, alerts) if alert.state == AlertState.OPEN]
    for alert in changed:
        alert.state = AlertState.ACKNOWLEDGED
        alert.acknowledged_at, alert.acknowledged_by = now, actor.label
        alert.updated_at = now
    fields = ["state", "acknowledged_at", "acknowledged_by", "updated_at"]
    Alert.unscoped.bulk_update(changed, fields)
    steps = [_step(actor, alert, "acknowledged", note) for alert in changed]
    AlertTransition.unscoped.bulk_create(steps)
    cancel_escalation(changed, now=now)
    announce(Recorded(events=[("alert.acknowledged", alert) for alert in changed]))
    return changed


@transaction.atomic
def resolve(*, actor: Actor, alerts: Sequence[Alert], note: str = "") -> list[Alert]:
    """End them by hand. They do not open again before the condition has once been over."""
    return _resolve(actor, _locked(actor, alerts), note)


def resolve_all_of(rule: Rule, *, actor: Actor, note: str) -> list[Alert]:
    """End what a rule that no longer watches has left open. Call inside a transaction."""
    left_open = Alert.unscoped.filter(~Q(state=AlertState.RESOLVED), rule=rule)
    return _resolve(actor, list(left_open.select_for_update(of=("self",))), note)


def _resolve(actor: Actor, alerts: list[Alert], note: str) -> list[Alert]:
    now = timezone.now()
    changed = [alert for alert in alerts if alert.state != AlertState.RESOLVED]
    for alert in changed:
        alert.state = AlertState.RESOLVED
        alert.resolved_at = alert.updated_at = now
        alert.resolved_by = actor.label
    Alert.unscoped.bulk_update(changed, ["state", "resolved_at", "resolved_by", "updated_at"])
    steps = [_step(actor, alert, "resolved", note) for alert in changed]
    AlertTransition.unscoped.bulk_create(steps)
    deliveries = deliveries_on_resolving([a for a in changed if not a.late], now=now)
    events = [("alert.resolved", alert) for alert in changed]
    announce(Recorded(events=events, deliveries=deliveries))
    return changed


@transaction.atomic
def assign(*, actor: Actor, alerts: Sequence[Alert], assignee: User | None) -> list[Alert]:
    """Give them to a member, or to nobody."""
    if assignee is not None:
        members = Membership.objects.for_tenant(actor.tenant)
        if not members.filter(user=assignee).exists():
            raise DomainError("not_a_member", 422, "This person is not a member.")
    changed = [alert for alert in _locked(actor, alerts) if alert.assignee_id != _pk(assignee)]
    now = timezone.now()
    for alert in changed:
        alert.assignee, alert.updated_at = assignee, now
    Alert.unscoped.bulk_update(changed, ["assignee", "updated_at"])
    label = str(assignee) if assignee else ""
    steps = [_step(actor, alert, "assigned", "", assignee=label) for alert in changed]
    AlertTransition.unscoped.bulk_create(steps)
    announce(Recorded(events=[("alert.updated", alert) for alert in changed]))
    return changed


def _pk(user: User | None) -> int | None:
    return None if user is None else user.pk


@transaction.atomic
def snooze(*, actor: Actor, alerts: Sequence[Alert], until: datetime) -> list[Alert]:
    """Leave them out of sight, and their escalation put off, until then."""
    now = timezone.now()
    if not now < until <= now + LONGEST_SNOOZE:
        raise DomainError("bad_snooze", 422, "Snooze until a time within the next 30 days.")
    changed = [alert for alert in _locked(actor, alerts) if alert.state != AlertState.RESOLVED]
    for alert in changed:
        alert.snoozed_until, alert.updated_at = until, now
    Alert.unscoped.bulk_update(changed, ["snoozed_until", "updated_at"])
    steps = [_step(actor, alert, "snoozed", "", until=until.isoformat()) for alert in changed]
    AlertTransition.unscoped.bulk_create(steps)
    postpone_escalation(changed, now=now, until=until)
    announce(Recorded(events=[("alert.updated", alert) for alert in changed]))
    return changed


@transaction.atomic
def add_note(*, actor: Actor, alert: Alert, text: str) -> AlertTransition:
    """Write something down about it."""
    note = _step(actor, alert, "noted", text)
    note.save()
    return note
