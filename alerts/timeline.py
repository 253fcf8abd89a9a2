"""A vehicle's alerts as events among the others of its page."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db.models import Q
from django.utils.translation import gettext as _

from alerts.kinds import threshold
from alerts.models import Alert, RuleVersion, Severity
from fleet.models import Vehicle
from telemetry.timeline import Event, Limit, Tone

MOST: Final = 200
_TONES: Final = {
    Severity.CRITICAL: Tone.CRITICAL,
    Severity.HIGH: Tone.CRITICAL,
    Severity.MEDIUM: Tone.WARNING,
}


def events(vehicle: Vehicle, start: datetime, end: datetime) -> list[Event]:
    """Beginnings and ends, within [start, end), of alerts; each with its rule's thresholds.

    One that was open all the while is told where the span begins.
    """
    alerts = (
        Alert.objects.for_tenant(vehicle.tenant_id)
        .filter(
            Q(resolved_at=None) | Q(resolved_at__gte=start),
            started_at__lt=end,
            kind="v",
            subject_id=vehicle.pk,
        )
        .select_related("rule_version")
        .order_by("-started_at")[:MOST]
    )
    found = []
    for alert in alerts:
        severity = Severity(alert.severity)
        tone = _TONES.get(severity, Tone.PLAIN)
        limits = _limits(alert.rule_version)
        began, title = alert.started_at, alert.title
        if began < start:
            began, title = start, _("Open since before: %(alert)s") % {"alert": title}
        found.append(Event(began, title, str(severity.label), tone, limits))
        if alert.resolved_at is not None and start <= alert.resolved_at < end:
            text = _("Resolved: %(alert)s") % {"alert": alert.title}
            found.append(Event(alert.resolved_at, text))
    return found


def _limits(version: RuleVersion) -> tuple[Limit, ...]:
    """What a rule about thresholds compares with, as it was when it raised the alert."""
    if version.kind != threshold.KIND.key:
        return ()
    return tuple(
        Limit(condition["metric"], float(condition["value"]))
        for condition in version.definition.get("params", {}).get("conditions", [])
        if isinstance(condition["value"], int | float) and not isinstance(condition["value"], bool)
    )
