"""Alerts of what no rule watches any more: archived, moved to another fleet, out of scope."""

from __future__ import annotations

from collections import defaultdict

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from alerts.announce import announce
from alerts.models import Alert, AlertState, AlertTransition
from alerts.notify import deliveries_on_resolving
from alerts.recording import Recorded
from alerts.rulebook import RuleBook

NOTE = "The rule no longer watches this vehicle or meter."
AT_ONCE = 5000


@transaction.atomic
def resolve_unwatched(book: RuleBook) -> int:
    """Resolve them; returns how many. A rule that was switched off by its failure is left:
    what it found stands until a person has looked."""
    candidates = (
        Alert.unscoped.filter(~Q(state=AlertState.RESOLVED), rule__enabled=True)
        .exclude(kind="p")
        .order_by("pk")[:AT_ONCE]
    )
    by_subject: dict[tuple[str, int], list[Alert]] = defaultdict(list)
    for alert in candidates:
        by_subject[alert.kind, alert.subject_id].append(alert)
    book.learn(by_subject)
    unwatched = [
        alert.pk
        for subject, alerts in by_subject.items()
        for alert in alerts
        if alert.rule_id not in {rule.rule_id for rule in book.watching(subject)}
    ]
    now = timezone.now()
    locked = list(
        Alert.unscoped.filter(~Q(state=AlertState.RESOLVED), pk__in=unwatched).select_for_update(
            of=("self",)
        )
    )
    for alert in locked:
        alert.state, alert.resolved_at, alert.updated_at = AlertState.RESOLVED, now, now
    Alert.unscoped.bulk_update(locked, ["state", "resolved_at", "updated_at"])
    AlertTransition.unscoped.bulk_create(
        AlertTransition(
            tenant_id=alert.tenant_id, alert=alert, change="resolved", at=now, note=NOTE
        )
        for alert in locked
    )
    deliveries = deliveries_on_resolving([a for a in locked if not a.late], now=now)
    events = [("alert.resolved", alert) for alert in locked]
    announce(Recorded(events=events, deliveries=deliveries))
    return len(locked)
