"""Who is told of an alert: deliveries, made in the transaction that opened it.

Every step of an escalation is a delivery with its due time; acknowledging cancels those
that are not due yet. So nothing has to wake up to escalate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Greatest

from alerts.engine.spec import Step
from alerts.models import (
    Alert,
    AlertState,
    AlertTransition,
    Channel,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
)
from alerts.rulebook import Watching
from tenants.models import Membership


def deliveries_on_opening(
    opened: Sequence[tuple[Alert, AlertTransition, Watching]], *, now: datetime
) -> list[Delivery]:
    """Queue what the rules' steps name, or what the organisation has for want of them."""
    if not opened:
        return []
    channels = _usable_channels({alert.tenant_id for alert, _, _ in opened})
    deliveries: list[Delivery] = []
    for alert, _step, rule in opened:
        mine = channels.get(alert.tenant_id, {})
        for number, step in enumerate(_steps(rule, mine)):
            if alert.state == AlertState.RESOLVED and step.after_minutes:
                continue  # over before it was known: nobody is left to escalate to
            due_at = now + timedelta(minutes=step.after_minutes)
            collected = rule.spec.digest and alert.severity == "low"
            deliveries.extend(
                _delivery(alert, pk, DeliveryEvent.OPENED, due_at, step=number, collected=collected)
                for pk in step.channels
                if pk in mine
            )
    return Delivery.unscoped.bulk_create(deliveries, batch_size=500, ignore_conflicts=True)


def _steps(rule: Watching, usable: Mapping[int, Channel]) -> tuple[Step, ...]:
    """The rule's; where it names nobody, or none of those whom it names can be told any more,
    the default channels at once: an alert must not go unheard because somebody left."""
    named = rule.spec.steps
    if any(pk in usable for step in named for pk in step.channels):
        return named
    return (Step(channels=tuple(pk for pk, one in usable.items() if one.is_default)),)


def deliveries_on_resolving(alerts: Sequence[Alert], *, now: datetime) -> list[Delivery]:
    """Tell those who were told that it is over, and cancel what nobody needs any more."""
    if not alerts:
        return []
    cancel_escalation(alerts, now=now)
    by_id = {alert.pk: alert for alert in alerts}
    told = (
        Delivery.unscoped.filter(alert_id__in=by_id, event=DeliveryEvent.OPENED)
        .exclude(status__in=[DeliveryStatus.CANCELLED, DeliveryStatus.COLLECTED])
        .values_list("alert_id", "channel_id")
        .distinct()
    )
    deliveries = [
        _delivery(by_id[alert_id], channel_id, DeliveryEvent.RESOLVED, now)
        for alert_id, channel_id in told
        if alert_id is not None
    ]
    return Delivery.unscoped.bulk_create(deliveries, batch_size=500, ignore_conflicts=True)


def cancel_escalation(alerts: Iterable[Alert], *, now: datetime) -> None:
    """Somebody has it, or it is over: later steps are not taken."""
    _later_steps(alerts, now).update(status=DeliveryStatus.CANCELLED)


def postpone_escalation(alerts: Iterable[Alert], *, now: datetime, until: datetime) -> None:
    """Nobody has it yet: later steps are taken, but not before then."""
    _later_steps(alerts, now).update(due_at=Greatest("due_at", until))


def _later_steps(alerts: Iterable[Alert], now: datetime) -> QuerySet[Delivery]:
    return Delivery.unscoped.filter(
        alert__in=list(alerts),
        event=DeliveryEvent.OPENED,
        status=DeliveryStatus.QUEUED,
        step__gt=0,
        due_at__gt=now,
    )


def in_use(channels: QuerySet[Channel]) -> QuerySet[Channel]:
    """Without those switched off or removed, and the contacts of people who have left."""
    members = Membership.unscoped.filter(
        tenant=OuterRef("tenant"), user=OuterRef("user"), user__is_active=True
    )
    return channels.filter(Q(user=None) | Exists(members), enabled=True, archived_at=None)


def _usable_channels(tenant_ids: set[int]) -> dict[int, dict[int, Channel]]:
    found: dict[int, dict[int, Channel]] = {}
    for channel in in_use(Channel.unscoped.filter(tenant_id__in=tenant_ids)):
        found.setdefault(channel.tenant_id, {})[channel.pk] = channel
    return found


def _delivery(
    alert: Alert,
    channel_id: int,
    event: DeliveryEvent,
    due_at: datetime,
    *,
    step: int = 0,
    collected: bool = False,
) -> Delivery:
    return Delivery(
        tenant_id=alert.tenant_id,
        channel_id=channel_id,
        alert_id=alert.pk,
        event=event,
        step=step,
        due_at=due_at,
        status=DeliveryStatus.COLLECTED if collected else DeliveryStatus.QUEUED,
        payload=payload_of(alert, event),
    )


def payload_of(alert: Alert, event: str) -> dict[str, Any]:
    """What is told: the body of a webhook, and what the other ways are written from."""
    return {
        "type": event,
        "timestamp": _utc(alert.resolved_at or alert.opened_at),
        "data": {
            "id": str(alert.public_id),
            "title": alert.title,
            "severity": alert.severity,
            "state": alert.state,
            "subject": alert.subject_reference,
            "subject_name": alert.subject_label,
            "subject_kind": {"v": "vehicle", "m": "meter", "p": "platform"}[alert.kind],
            "started_at": _utc(alert.started_at),
            "opened_at": _utc(alert.opened_at),
            "resolved_at": _utc(alert.resolved_at),
            "late": alert.late,
            "values": alert.values,
        },
    }


def _utc(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
