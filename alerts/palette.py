"""Alerts among what Ctrl-K finds."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from alerts.models import Alert, AlertState
from tenants.actors import Actor
from tenants.models import Scope

MOST = 4


def found(actor: Actor, wanted: str) -> list[dict[str, Any]]:
    """Unresolved alerts by title, vehicle or meter; the newest first. One query."""
    if Scope.TELEMETRY_READ not in actor.scopes:
        return []
    rows = (
        Alert.objects.for_tenant(actor.tenant)
        .exclude(state=AlertState.RESOLVED)
        .filter(
            Q(title__icontains=wanted)
            | Q(subject_label__icontains=wanted)
            | Q(subject_reference__icontains=wanted)
        )
        .order_by("-opened_at")[:MOST]
    )
    return [
        {
            "kind": "alert",
            "label": _("alert"),
            "id": "",
            "name": row.title,
            "hint": row.subject_label,
            "url": reverse("alert", args=[row.public_id]),
        }
        for row in rows
    ]
