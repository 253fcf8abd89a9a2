"""The organisation's rules: on, off, away and back."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts import rules, undo
from alerts.explaining import said_by
from alerts.models import Alert, AlertState, Rule
from alerts.pages.inbox import AlertsPage
from alerts.saying import fences_called
from tenants.errors import DomainError
from tenants.models import Scope


class RuleList(AlertsPage):
    template_name = "alerts/rules.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        week = timezone.now() - timedelta(days=7)
        mine = Alert.objects.for_tenant(self.tenant).filter(rule=OuterRef("pk")).order_by()
        rows = (
            Rule.objects.for_tenant(self.tenant)
            .filter(archived_at=None, current__isnull=False)
            .select_related("current")
            .annotate(
                opened=_count(mine.filter(opened_at__gte=week)),
                unresolved=_count(mine.filter(~Q(state=AlertState.RESOLVED))),
            )
            .order_by("name")
        )
        versions = [row.current for row in rows if row.current is not None]
        called = fences_called(self.tenant, [version.definition for version in versions])
        for row in rows:
            assert row.current is not None  # noqa: S101  (the filter above)
            row.says, _facts = said_by(row.current, called)  # type: ignore[attr-defined]
            row.severity = row.current.definition.get("severity", "medium")  # type: ignore[attr-defined]
            definition = row.current.definition
            # Of who stays in a geofence the sentence says how long already.
            stays = definition.get("params", {}).get("event") == "dwell"
            row.holds_s = 0 if stays else definition.get("duration_s", 0)  # type: ignore[attr-defined]
        return self.show({"section": "rules", "rules": rows})


def _count(rows: object) -> Coalesce:
    counted = rows.values("rule").annotate(n=Count("pk")).values("n")  # type: ignore[attr-defined]
    return Coalesce(Subquery(counted), 0)


class RuleAction(AlertsPage):
    scopes = {"POST": Scope.ALERTS_WRITE}

    def post(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        try:
            self.act(self.find(Rule, public_id=public_id))
        except DomainError as error:
            self.complain(error)
        return redirect("alert-rules")

    def act(self, rule: Rule) -> None:
        raise NotImplementedError


class SwitchRule(RuleAction):
    """Off resolves what it left open; on begins anew."""

    def act(self, rule: Rule) -> None:
        rule = rules.update_rule(actor=self.actor, rule=rule, enabled=not rule.enabled)
        said = _("%(rule)s is on.") if rule.enabled else _("%(rule)s is off.")
        address = reverse("alert-rule-switch", args=[rule.public_id])
        self.say(said % {"rule": rule.name}, undo=address)


class ArchiveRule(RuleAction):
    def act(self, rule: Rule) -> None:
        rules.archive_rule(actor=self.actor, rule=rule)
        address = reverse("alert-rule-restore", args=[rule.public_id])
        self.say(_("%(rule)s was removed.") % {"rule": rule.name}, undo=address)


class RestoreRule(RuleAction):
    def act(self, rule: Rule) -> None:
        undo.restore_rule(actor=self.actor, rule=rule)
        self.say(_("%(rule)s is back.") % {"rule": rule.name})
