"""A vehicle's alerts as events among the others of its page."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db.models import Q
from django.utils.translation import gettext as _

from alerts.models import Alert, Severity
from fleet.models import Vehicle
from telemetry.timeline import Event, Tone

MOST: Final = 200
_TONES: Final = {
    Severity.CRITICAL: Tone.CRITICAL,
    Severity.HIGH: Tone.WARNING,
    Severity.MEDIUM: Tone.WARNING,
}


def events(vehicle: Vehicle, start: datetime, end: datetime) -> list[Event]:
    """Alerts that began in [start, end), and those of them that resolved in it."""
    alerts = (
        Alert.objects.for_tenant(vehicle.tenant_id)
        .filter(Q(started_at__gte=start, started_at__lt=end), kind="v", subject_id=vehicle.pk)
        .order_by("-started_at")[:MOST]
    )
    found = []
    for alert in alerts:
        severity = Severity(alert.severity)
        tone = _TONES.get(severity, Tone.PLAIN)
        found.append(Event(alert.started_at, alert.title, str(severity.label), tone))
        if alert.resolved_at is not None and start <= alert.resolved_at < end:
            text = _("Resolved: %(alert)s") % {"alert": alert.title}
            found.append(Event(alert.resolved_at, text))
    return found
