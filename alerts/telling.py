"""One attempt's message: what machines are sent, and the same for people to read."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse

from alerts.channels import secrets_of
from alerts.models import Delivery
from alerts.notifiers.notifier import Message
from alerts.wording import saw
from tenants.models import Organisation

KINDS = {"vehicle": "v", "meter": "m", "platform": "p"}


def message_of(delivery: Delivery) -> Message:
    """In the units and the time zone of the organisation. Raises Undecipherable."""
    channel, data = delivery.channel, delivery.payload["data"]
    return Message(
        key=str(delivery.key),
        address=channel.address,
        secrets=secrets_of(channel),
        event=delivery.event,
        payload=delivery.payload,
        saw=_saw(data, channel.tenant),
        zone=channel.tenant.time_zone,
        link=_link(data),
    )


def _saw(data: dict[str, Any], organisation: Organisation) -> tuple[str, ...]:
    kind = KINDS.get(data.get("subject_kind", ""), "v")
    return tuple(
        f"{one.label}: {one.text}" for one in saw(kind, data.get("values", {}), organisation)
    )


def _link(data: dict[str, Any]) -> str:
    """Of the alert, else of all of them; "" where the platform does not know its address."""
    if not settings.PUBLIC_URL:
        return ""
    path = reverse("alert", args=[data["id"]]) if data.get("id") else reverse("alerts")
    return settings.PUBLIC_URL.rstrip("/") + path
