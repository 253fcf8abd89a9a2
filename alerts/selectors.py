"""Reads of alerts."""

from __future__ import annotations

from typing import Final

from django.db.models import Case, Count, IntegerField, Q, Value, When
from django.utils import timezone

from alerts.models import Alert, AlertState, Severity

RANK: Final = Case(
    *(
        When(severity=severity, then=Value(rank))
        for rank, severity in enumerate(reversed(Severity.values))
    ),
    default=Value(9),
    output_field=IntegerField(),
)
"""The gravest first."""


def counts_of(tenant_id: int) -> dict[str, int]:
    """Unresolved alerts that are not snoozed, by state and severity. One query."""
    awake = Q(snoozed_until=None) | Q(snoozed_until__lte=timezone.now())
    return (
        Alert.objects.for_tenant(tenant_id)
        .filter(awake, ~Q(state=AlertState.RESOLVED))
        .aggregate(
            open=Count("pk", filter=Q(state=AlertState.OPEN)),
            acknowledged=Count("pk", filter=Q(state=AlertState.ACKNOWLEDGED)),
            **{level: Count("pk", filter=Q(severity=level)) for level in Severity.values},
        )
    )


def open_count_of(tenant_id: int) -> int:
    """Alerts that nobody has acknowledged or snoozed. One query, on every page."""
    awake = Q(snoozed_until=None) | Q(snoozed_until__lte=timezone.now())
    return Alert.objects.for_tenant(tenant_id).filter(awake, state=AlertState.OPEN).count()
