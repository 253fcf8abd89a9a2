"""Reads of alerts."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.utils import timezone

from alerts.models import Alert, AlertState, Severity
from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS, Kind
from telemetry.models import MeterReadingRow, VehicleReadingRow

AROUND = timedelta(minutes=15)
MOST_POINTS = 2000


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


def charted_metric(alert: Alert) -> str | None:
    """The first number the rule looked at that is a field of the readings."""
    fields = VEHICLE_FIELDS if alert.kind == "v" else METER_FIELDS
    numbers = (Kind.NUMBER, Kind.INTEGER)
    return next((n for n in alert.values if n in fields and fields[n].kind in numbers), None)


def samples_around(alert: Alert, metric: str) -> list[tuple[datetime, float]]:
    """The metric's values from before the alert began until after it was over."""
    ends = alert.resolved_at or alert.opened_at
    start, end = alert.started_at - AROUND, min(ends, alert.opened_at + 2 * AROUND) + AROUND
    between = {"time__gte": start, "time__lt": end, f"{metric}__isnull": False}
    rows = (
        VehicleReadingRow.objects.filter(vehicle_id=alert.subject_id, **between)
        if alert.kind == "v"
        else MeterReadingRow.objects.filter(meter_id=alert.subject_id, **between)
    )
    return list(rows.order_by("time").values_list("time", metric)[:MOST_POINTS])
