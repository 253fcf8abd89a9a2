"""Shift handover: what a person who comes back has to know, as lists of a bounded length.

Alerts stand in exactly one of three: new and not over, not over from before, over since.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Count, QuerySet, Window

from alerts.models import Alert, AlertState
from alerts.selectors import RANK
from telemetry import handover as readings
from telemetry.handover import Fault, Listed, Standing

MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Handover:
    since: datetime
    now: datetime
    opened: Listed[Alert]
    older: Listed[Alert]
    resolved: Listed[Alert]
    silent: Listed[Standing]
    low: Listed[Standing]
    refused: Listed[Fault]

    @property
    def is_quiet(self) -> bool:
        parts = (self.opened, self.older, self.resolved, self.silent, self.low, self.refused)
        return not any(part.total for part in parts)


def handover(tenant_id: int, *, since: datetime, now: datetime) -> Handover:
    """Of one organisation. Eight queries, however much there was."""
    alerts = Alert.objects.for_tenant(tenant_id)
    unresolved = alerts.exclude(state=AlertState.RESOLVED).annotate(rank=RANK)
    # When it came to be known counts: late readings open alerts of the past.
    resolved = alerts.filter(state=AlertState.RESOLVED, resolved_at__gte=since)
    return Handover(
        since,
        now,
        opened=_listed(unresolved.filter(created_at__gte=since), "rank", "-opened_at", "-id"),
        older=_listed(unresolved.filter(created_at__lt=since), "rank", "-opened_at", "-id"),
        resolved=_listed(resolved, "-resolved_at", "-id"),
        silent=readings.gone_silent(tenant_id, since, now),
        low=readings.low_charge(tenant_id, now),
        refused=readings.refusals_grown(tenant_id, since, now),
    )


def _listed(alerts: QuerySet[Alert], *order: str) -> Listed[Alert]:
    counted = alerts.select_related("fleet").annotate(total=Window(Count("pk")))
    rows = list(counted.order_by(*order)[:MOST])
    return Listed(rows, rows[0].total if rows else 0)
