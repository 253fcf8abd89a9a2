"""What became of an alert, said to the live stream and to the workers that deliver."""

from __future__ import annotations

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from alerts.models import Alert
from alerts.recording import Recorded
from telemetry import alert_log
from telemetry.rooms import alerts_group_of

log = structlog.get_logger(__name__)


def announce(recorded: Recorded) -> None:
    """After the commit: the live events, and a nudge where something is to be delivered."""
    if recorded.events:
        transaction.on_commit(lambda: publish(recorded.events))
    if recorded.deliveries:
        transaction.on_commit(nudge_delivery, robust=True)


def nudge_delivery() -> None:
    """Have a worker look for due deliveries now; the beat would, a little later."""
    from alerts.tasks import deliver_due

    deliver_due.apply_async(expires=30)


def publish(events: list[tuple[str, Alert]]) -> None:
    """Send the events to whoever watches. At most once: the inbox itself is the truth."""
    try:
        told = [(alert.tenant_id, name, _as_told(alert)) for name, alert in events]
        # First, since event streams read there what the group is told of.
        alert_log.append(
            (tenant_id, {"type": name, "alert": alert}) for tenant_id, name, alert in told
        )
        async_to_sync(_send)(told)
    except Exception as error:
        log.warning("alert_events_not_sent", error=str(error), events=len(events))


async def _send(told: list[tuple[int, str, dict[str, object]]]) -> None:
    layer = get_channel_layer()
    for tenant_id, name, alert in told:
        event = {"type": "alert.event", "event": name, "alert": alert}
        await layer.group_send(alerts_group_of(tenant_id), event)


def _as_told(alert: Alert) -> dict[str, object]:
    """What a dashboard gets of an alert, beside the event's name."""
    return {
        "id": str(alert.public_id),
        "title": alert.title,
        "severity": alert.severity,
        "state": alert.state,
        "late": alert.late,
        "subject": alert.subject_reference,
        "subject_kind": alert.kind,
        "opened_at": alert.opened_at.isoformat().replace("+00:00", "Z"),
    }
