"""What is of low severity comes once a day, in one message a channel."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from alerts.models import Delivery, DeliveryEvent, DeliveryStatus
from tenants.models import Organisation

HOUR = 8
"""Of the organisation's morning."""
LARGEST = 200
"""Alerts named in one digest; the inbox has the rest."""


def send_digests(*, now: datetime) -> int:
    """Called every hour; returns how many digests were queued."""
    waiting = Delivery.unscoped.filter(status=DeliveryStatus.COLLECTED)
    tenants = Organisation.objects.filter(pk__in=waiting.values("tenant_id"))
    return sum(_digest_of(tenant, now) for tenant in tenants)


def _last_morning(tenant: Organisation, now: datetime) -> datetime:
    """The last time that it was eight there. What was collected before is due; so a morning
    that nobody was at work is made up for."""
    local = now.astimezone(ZoneInfo(tenant.time_zone))
    eight = local.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    return eight if eight <= local else eight - timedelta(days=1)


@transaction.atomic
def _digest_of(tenant: Organisation, now: datetime) -> int:
    waiting = (
        Delivery.objects.for_tenant(tenant)
        .filter(status=DeliveryStatus.COLLECTED, created_at__lt=_last_morning(tenant, now))
        .select_for_update()
        .order_by("pk")
    )
    by_channel: dict[int, list[Delivery]] = defaultdict(list)
    for delivery in waiting:
        by_channel[delivery.channel_id].append(delivery)
    for channel_id, deliveries in by_channel.items():
        stamp = now.isoformat().replace("+00:00", "Z")
        Delivery.objects.create(
            tenant=tenant,
            channel_id=channel_id,
            event=DeliveryEvent.DIGEST,
            due_at=now,
            payload={
                "type": DeliveryEvent.DIGEST,
                "timestamp": stamp,
                "data": {
                    "severity": "low",
                    "count": len(deliveries),
                    "alerts": [one.payload["data"] for one in deliveries[:LARGEST]],
                },
            },
        )
        Delivery.unscoped.filter(pk__in=[one.pk for one in deliveries]).update(
            status=DeliveryStatus.SENT, sent_at=now
        )
    return len(by_channel)
