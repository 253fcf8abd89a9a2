"""One alert: what the rule saw, what happened since, and who was told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from alerts.engine.spec import RuleSpec
from alerts.explaining import facts_of, samples_of, steps_of
from alerts.models import Alert, Delivery, DeliveryAttempt
from alerts.outlines import outline
from alerts.pages.drawn import drawn
from alerts.pages.inbox import AlertsPage, members_of
from alerts.samples import series_of, track_of
from alerts.saying import condition_in_words, fences_called
from alerts.wording import saw
from fleet.geofences import Geofence
from fleet.models import Vehicle
from telemetry.ground import map_settings
from tenants.models import Scope

AROUND: Final = timedelta(minutes=10)
LONGEST: Final = timedelta(hours=24)
"""Of what is drawn of an alert that stays open."""


class AlertPage(AlertsPage):
    template_name = "alerts/alert.html"

    def get(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        alert = self.find(
            Alert, "rule", "rule__current", "rule_version", "fleet", "assignee", public_id=public_id
        )
        spec = alert.rule_version.spec
        steps = list(alert.transitions.select_related("actor").order_by("id")[:500])
        for step in steps:
            step.saw = saw(alert.kind, step.values, self.tenant)  # type: ignore[attr-defined]
        called = fences_called(self.tenant, [alert.rule_version.definition])
        says = condition_in_words(spec, called)
        headings, samples = samples_of(alert, spec, self.tenant)
        now = timezone.now()
        return self.show(
            {
                "section": "inbox",
                "alert": alert,
                "is_asleep": alert.snoozed_until is not None and alert.snoozed_until > now,
                "saw": saw(alert.kind, alert.values, self.tenant),
                "says": says,
                "facts": facts_of(spec),
                "story": steps_of(alert, spec, says, steps, self.tenant),
                "headings": headings,
                "samples": samples,
                "transitions": steps,
                "deliveries": self._deliveries(alert),
                "members": members_of(self) if self._may_act else [],
                "start": self._start(alert, spec, now),
            }
        )

    @property
    def _may_act(self) -> bool:
        return Scope.ALERTS_ACT in self.actor.scopes

    def _deliveries(self, alert: Alert) -> list[Delivery]:
        log = Prefetch("log", DeliveryAttempt.objects.for_tenant(self.tenant).order_by("id"))
        rows = alert.deliveries.select_related("channel").prefetch_related(log)
        return list(rows.order_by("id")[:100])

    def _start(self, alert: Alert, spec: RuleSpec, now: datetime) -> dict[str, Any]:
        """What the page's modules draw."""
        start = alert.started_at - AROUND
        end = min(
            max(alert.resolved_at or now, alert.opened_at) + AROUND, alert.opened_at + LONGEST, now
        )
        end = max(end, alert.opened_at + timedelta(minutes=1))
        series = []
        track: list[Any] = []
        if alert.kind in "vm":
            gap = timedelta(seconds=self._silent_after(alert))
            series = series_of(spec, alert.subject_id, start, end, gap=gap)
        if alert.kind == "v":
            track = track_of(alert.subject_id, start, end)
        return {
            **drawn(series, self.tenant, start, end),
            "from": _ms(start),
            "to": _ms(end),
            "began": _ms(alert.started_at),
            "opened": _ms(alert.opened_at),
            "resolved": _ms(alert.resolved_at) if alert.resolved_at else None,
            "track": track,
            "fences": self._fences(spec),
            "map": map_settings(),
        }

    def _silent_after(self, alert: Alert) -> int:
        if alert.kind == "m":
            return 900
        rows = Vehicle.objects.for_tenant(self.tenant).filter(pk=alert.subject_id)
        return rows.values_list("silent_after_s", flat=True).first() or 300

    def _fences(self, spec: RuleSpec) -> list[dict[str, Any]]:
        wanted = spec.params.get("geofences", ())
        if not wanted:
            return []
        rows = Geofence.objects.for_tenant(self.tenant).filter(pk__in=wanted)
        return [{"name": row.name, "geometry": outline(row.shape)} for row in rows]


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
