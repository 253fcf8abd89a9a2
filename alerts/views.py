"""Pages: the inbox, one alert, the rules and their editor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from itertools import groupby
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from alerts import chart, life, rules
from alerts.definitions import References, inward
from alerts.dry_run import start_dry_run
from alerts.forms import RuleForm
from alerts.kinds import KINDS
from alerts.models import Alert, AlertState, DryRun, Rule, Severity
from alerts.selectors import charted_metric, counts_of, samples_around
from tenants.actors import Actor
from tenants.errors import DomainError
from tenants.models import Scope, User
from tenants.selectors import actor_for_request, memberships_of

SHOWN = 300
"""Alerts on the inbox page; the API pages through all."""
_RANK = {"critical": 0, "high": 1, "medium": 2, "low": 3}

Page = Callable[..., HttpResponse]


def inside(view: Page) -> Page:
    """Log in first, and be somebody in an organisation; refusals become a message."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        actor = actor_for_request(request)
        if actor is None:
            return render(request, "telemetry/no_organisation.html", status=403)
        actor.require(Scope.TELEMETRY_READ)
        return view(request, actor, *args, **kwargs)

    return login_required(wrapped)


def _page(request: HttpRequest, actor: Actor, name: str, **context: Any) -> HttpResponse:
    assert isinstance(request.user, User)  # noqa: S101  (logged in)
    organisations = [membership.tenant for membership in memberships_of(request.user)]
    if actor.tenant not in organisations:
        organisations.insert(0, actor.tenant)
    common = {
        "page": "alerts",
        "organisation": actor.tenant,
        "organisations": organisations,
        "may_act": Scope.ALERTS_ACT in actor.scopes,
        "may_write": Scope.ALERTS_WRITE in actor.scopes,
    }
    return render(request, f"alerts/{name}.html", common | context)


@inside
@require_GET
def inbox(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Unresolved alerts, the gravest first, grouped; `?part` answers the list alone."""
    state = request.GET.get("state", "unresolved")
    severity = request.GET.get("severity", "")
    group = request.GET.get("group", "rule")
    rows = Alert.objects.for_tenant(actor.tenant).select_related("rule", "assignee")
    if state == "unresolved":
        awake = Q(snoozed_until=None) | Q(snoozed_until__lte=timezone.now())
        rows = rows.filter(awake, ~Q(state=AlertState.RESOLVED))
    elif state in AlertState.values:
        rows = rows.filter(state=state)
    if severity in Severity.values:
        rows = rows.filter(severity=severity)
    alerts = sorted(
        rows.order_by("-opened_at")[:SHOWN], key=lambda alert: _RANK.get(alert.severity, 9)
    )
    return _page(
        request,
        actor,
        "list" if "part" in request.GET else "inbox",
        groups=_grouped(alerts, group),
        counts=counts_of(actor.tenant.pk),
        state=state,
        severity=severity,
        group=group,
        states=[("unresolved", "Unresolved"), *AlertState.choices],
        severities=Severity.choices,
    )


def _grouped(alerts: list[Alert], by: str) -> list[tuple[str, list[Alert]]]:
    if by not in ("rule", "vehicle"):
        return [("", alerts)] if alerts else []

    def key(alert: Alert) -> str:
        return alert.rule.name if by == "rule" else alert.subject_label

    first: dict[str, int] = {}
    for place, alert in enumerate(alerts):
        first.setdefault(key(alert), place)
    ordered = sorted(alerts, key=lambda alert: first[key(alert)])
    return [(name, list(members)) for name, members in groupby(ordered, key=key)]


@inside
@require_POST
def act(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Acknowledge, snooze or resolve what was ticked."""
    ids: list[UUID] = []
    try:
        actor.require(Scope.ALERTS_ACT)
        ids = [UUID(text) for text in request.POST.getlist("alert")[:500]]
        alerts = list(Alert.objects.for_tenant(actor.tenant).filter(public_id__in=ids))
        note = request.POST.get("note", "").replace("\0", "")[:4000]
        action = request.POST.get("action")
        if action == "acknowledge":
            life.acknowledge(actor=actor, alerts=alerts, note=note)
        elif action == "resolve":
            life.resolve(actor=actor, alerts=alerts, note=note)
        elif action == "snooze":
            life.snooze(actor=actor, alerts=alerts, until=timezone.now() + timedelta(hours=1))
        elif action == "note" and note and alerts:
            life.add_note(actor=actor, alert=alerts[0], text=note)
    except ValueError:
        messages.error(request, "That is no alert.")
    except DomainError as error:
        messages.error(request, error.detail)
    back = request.POST.get("back", "")
    if back and len(ids) == 1:
        return redirect("alert", ids[0])
    return redirect("alerts")


@inside
@require_GET
def alert(request: HttpRequest, actor: Actor, public_id: UUID) -> HttpResponse:
    """One alert: what the rule saw, what happened since, and who was told."""
    rows = Alert.objects.for_tenant(actor.tenant).select_related("rule", "rule_version", "fleet")
    found = get_object_or_404(rows, public_id=public_id)
    spec = found.rule_version.spec
    metric = charted_metric(found)
    thresholds = [
        (name, float(condition[name]))
        for condition in spec.params.get("conditions", ())
        for name in ("value", "clear")
        if condition["metric"] == metric and isinstance(condition.get(name), int | float)
    ]
    samples = samples_around(found, metric) if metric else []
    return _page(
        request,
        actor,
        "alert",
        alert=found,
        says=KINDS[spec.kind].says(spec),
        spec=spec,
        metric=metric,
        chart=chart.draw(samples, thresholds=thresholds, opened_at=found.opened_at),
        transitions=found.transitions.order_by("id")[:500],
        deliveries=found.deliveries.select_related("channel").order_by("id")[:100],
    )


@inside
@require_GET
def rule_list(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The organisation's rules."""
    rows = (
        Rule.objects.for_tenant(actor.tenant)
        .filter(archived_at=None, current__isnull=False)
        .select_related("current")
        .order_by("name")
    )
    shown = [
        (rule, KINDS[rule.current.kind].says(rule.current.spec)) for rule in rows if rule.current
    ]
    return _page(request, actor, "rules", rules=shown)


@inside
@require_POST
def switch_rule(request: HttpRequest, actor: Actor, public_id: UUID) -> HttpResponse:
    """Switch a rule on or off."""
    rule = get_object_or_404(Rule.objects.for_tenant(actor.tenant), public_id=public_id)
    try:
        actor.require(Scope.ALERTS_WRITE)
        rules.update_rule(actor=actor, rule=rule, enabled=not rule.enabled)
    except DomainError as error:
        messages.error(request, error.detail)
    return redirect("alert-rules")


@inside
@require_http_methods(["GET", "POST"])
def new_rule(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Write a rule; try it on the last seven days before saving it."""
    form = RuleForm(actor.tenant, request.POST or None)
    run = None
    if request.method == "POST" and form.is_valid():
        try:
            actor.require(Scope.ALERTS_WRITE)
            definition = inward(form.definition(), References(actor.tenant))
            if "try" in request.POST:
                now = timezone.now()
                run = start_dry_run(
                    actor=actor, definition=definition, since=now - timedelta(days=7), until=now
                )
            else:
                name = form.cleaned_data["name"]
                rules.create_rule(actor=actor, name=name, definition=definition)
                return redirect("alert-rules")
        except DomainError as error:
            form.add_error(None, error.detail)
    return _page(request, actor, "rule", form=form, run=run)


@inside
@require_GET
def dry_run(request: HttpRequest, actor: Actor, public_id: UUID) -> HttpResponse:
    """How far a dry run is, and what it found: a part of the editor's page."""
    run = get_object_or_404(DryRun.objects.for_tenant(actor.tenant), public_id=public_id)
    return _page(request, actor, "run", run=run)
