"""The inbox, and what people do there with many alerts at once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.core.cache import cache
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

from alerts import life, undo
from alerts.models import Alert, Rule, Severity
from alerts.pages.narrowing import GROUPS, SINCE, STATES, Narrowing, counts, in_state
from alerts.selectors import RANK
from alerts.wording import saw
from fleet.models import Fleet
from tenants.errors import DomainError
from tenants.models import Membership, Scope, User
from tenants.pages import MemberPage

PAGE: Final = 100
MOST: Final = 500
"""Alerts that are changed by one request."""
UNDO_S: Final = 600
ACKNOWLEDGED: Final = ngettext_lazy("%(n)d alert acknowledged.", "%(n)d alerts acknowledged.", "n")
RESOLVED: Final = ngettext_lazy("%(n)d alert resolved.", "%(n)d alerts resolved.", "n")
SNOOZED: Final = ngettext_lazy("%(n)d alert snoozed.", "%(n)d alerts snoozed.", "n")
WOKEN: Final = ngettext_lazy("%(n)d alert is back.", "%(n)d alerts are back.", "n")
ASSIGNED: Final = ngettext_lazy("%(n)d alert assigned.", "%(n)d alerts assigned.", "n")


class AlertsPage(MemberPage):
    page = "alerts"
    scopes = {"GET": Scope.TELEMETRY_READ}


class Inbox(AlertsPage):
    """The gravest first, grouped; a fragment is the list alone."""

    template_name = "alerts/inbox.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        narrowing = Narrowing.of(request.GET)
        user_id = self.actor.user.pk if self.actor.user else None
        everything = narrowing.apart_from_state(
            Alert.objects.for_tenant(self.tenant), user_id=user_id, now=now
        )
        alerts, number, has_more = self._page_of(everything.filter(in_state(narrowing.state, now)))
        for alert in alerts:
            alert.saw = saw(alert.kind, alert.values, self.tenant)  # type: ignore[attr-defined]
            alert.is_asleep = (  # type: ignore[attr-defined]
                alert.snoozed_until is not None and alert.snoozed_until > now
            )
        numbers = counts(everything, now)
        context: dict[str, Any] = {
            "groups": grouped(alerts, narrowing.group),
            "narrowing": narrowing,
            "section": "inbox",
            "states": [
                (self._with(state=s, page=""), label, numbers.get(s), s == narrowing.state)
                for s, label in STATES.items()
            ],
            "newer": self._with(page=str(number - 1)) if number > 1 else "",
            "older": self._with(page=str(number + 1)) if has_more else "",
        }
        if not self.is_fragment:
            context |= self._choices()
        response = self.show(context, template="alerts/list.html" if self.is_fragment else "")
        # One address, two shapes: a browser must not show the one where the other belongs.
        response["Vary"] = "HX-Request, Cookie"
        response["Cache-Control"] = "private, no-store"
        return response

    def _page_of(self, rows: QuerySet[Alert]) -> tuple[list[Alert], int, bool]:
        asked = self.request.GET.get("page", "1")
        is_number = asked.isascii() and asked.isdigit() and len(asked) < 9
        number = min(max(int(asked), 1), 1000) if is_number else 1
        first = (number - 1) * PAGE
        found: list[Any] = list(
            rows.select_related("rule", "fleet", "assignee")
            .annotate(rank=RANK)
            .order_by("rank", "-opened_at", "-id")[first : first + PAGE + 1]
        )
        return found[:PAGE], number, len(found) > PAGE

    def _with(self, **changes: str) -> str:
        query = self.request.GET.copy()
        for name, value in changes.items():
            query.pop(name, None)
            if value:
                query[name] = value
        return "?" + query.urlencode()

    def _choices(self) -> dict[str, Any]:
        rules = Rule.objects.for_tenant(self.tenant).order_by("name")
        fleets = Fleet.objects.for_tenant(self.tenant).filter(archived_at=None).order_by("name")
        return {
            "severities": list(reversed(Severity.choices)),
            "rules": [(str(pk), name) for pk, name in rules.values_list("public_id", "name")],
            "fleets": list(fleets.values_list("reference", "name")),
            "members": members_of(self),
            "periods": [(name, label) for name, (label, _length) in SINCE.items()],
            "groupings": GROUPS.items(),
        }


def members_of(page: MemberPage) -> list[tuple[str, User]]:
    """To whom alerts may be given."""
    rows = Membership.objects.for_tenant(page.tenant).select_related("user")
    return [(str(row.public_id), row.user) for row in rows.order_by("user__email")]


def grouped(alerts: Sequence[Alert], by: str) -> list[tuple[str, list[Alert]]]:
    """Groups in the order of their gravest alert."""
    if by == "none":
        return [("", list(alerts))] if alerts else []

    def key(alert: Alert) -> tuple[str, int]:
        return ("r", alert.rule_id) if by == "rule" else (alert.kind, alert.subject_id)

    def name(alert: Alert) -> str:
        return alert.rule.name if by == "rule" else alert.subject_label

    first: dict[tuple[str, int], int] = {}
    for place, alert in enumerate(alerts):
        first.setdefault(key(alert), place)
    ordered = sorted(alerts, key=lambda alert: first[key(alert)])
    groups = [list(members) for _key, members in groupby(ordered, key=key)]
    return [(name(members[0]), members) for members in groups]


class Act(AlertsPage):
    """Acknowledge, assign, snooze, wake, resolve or annotate what was ticked.

    Scripts are answered with JSON, forms with a redirection to where they came from.
    """

    scopes = {"POST": Scope.ALERTS_ACT}

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            said, undo_url = self._act(self._ticked())
        except DomainError as error:
            return self._answer(error.detail, failed=True)
        return self._answer(said, undo_url=undo_url)

    def _ticked(self) -> list[Alert]:
        try:
            ids = [UUID(text) for text in self.request.POST.getlist("alert")[:MOST]]
        except ValueError as error:
            raise DomainError("not_an_alert", 422, _("That is no alert.")) from error
        found = list(Alert.objects.for_tenant(self.tenant).filter(public_id__in=ids))
        if not found:
            raise DomainError("nothing_ticked", 422, _("Tick an alert first."))
        return found

    def _act(self, alerts: list[Alert]) -> tuple[str, str]:
        """Returns what to tell the person, and the address that takes it back, if any does."""
        note = self.request.POST.get("note", "").replace("\0", "").strip()[:4000]
        match self.request.POST.get("action"):
            case "acknowledge":
                done = life.acknowledge(actor=self.actor, alerts=alerts, note=note)
                return _counted(ACKNOWLEDGED, done), self._keep("unacknowledge", done)
            case "resolve":
                done = life.resolve(actor=self.actor, alerts=alerts, note=note)
                return _counted(RESOLVED, done), ""
            case "snooze":
                until = timezone.now() + timedelta(minutes=self._minutes())
                done = life.snooze(actor=self.actor, alerts=alerts, until=until)
                return _counted(SNOOZED, done), self._keep("wake", done)
            case "wake":
                return _counted(WOKEN, undo.wake(actor=self.actor, alerts=alerts)), ""
            case "assign":
                return self._assign(alerts)
            case "note" if note:
                for alert in alerts:
                    life.add_note(actor=self.actor, alert=alert, text=note)
                return _("The note was added."), ""
            case "note":
                raise DomainError("empty_note", 422, _("Write the note first."))
        raise DomainError("unknown_action", 422, _("Nothing was done."))

    def _assign(self, alerts: list[Alert]) -> tuple[str, str]:
        to = self.request.POST.get("assignee", "me")
        assignee = {"me": self.actor.user, "nobody": None}.get(to)
        if to not in ("me", "nobody"):
            members = dict(members_of(self))
            if to not in members:
                raise DomainError("not_a_member", 422, _("This person is not a member."))
            assignee = members[to]
        before = {alert.pk: alert.assignee_id for alert in alerts}
        done = life.assign(actor=self.actor, alerts=alerts, assignee=assignee)
        said = _counted(ASSIGNED, done)
        return said, self._keep("assign", done, [before[alert.pk] for alert in done])

    def _minutes(self) -> int:
        text = self.request.POST.get("minutes", "60")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 60

    def _keep(self, action: str, done: list[Alert], before: Sequence[int | None] = ()) -> str:
        """Remember for ten minutes how to take it back. The key is the person's own."""
        if not done:
            return ""
        key = secrets.token_urlsafe(12)
        kept = {"action": action, "ids": [alert.pk for alert in done], "before": list(before)}
        cache.set(undo_key(self, key), kept, UNDO_S)
        return reverse("alerts-undo", args=[key])

    def _answer(self, said: str, *, undo_url: str = "", failed: bool = False) -> HttpResponse:
        if self.request.headers.get("Accept") == "application/json":
            level = "error" if failed else "success"
            body = {"said": said, "undo": undo_url, "level": level}
            return JsonResponse(body, status=422 if failed else 200)
        if failed:
            self.complain(DomainError("refused", 422, said))
        else:
            self.say(said, undo=undo_url)
        return redirect(back(self.request))


class Undo(AlertsPage):
    """Take back what was done to alerts a moment ago."""

    scopes = {"POST": Scope.ALERTS_ACT}

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        kept = cache.get(undo_key(self, key)) if key.isascii() and len(key) < 40 else None
        if kept is None:
            self.complain(DomainError("gone", 410, _("It is too late to take that back.")))
            return redirect(back(request))
        cache.delete(undo_key(self, key))
        rows = Alert.objects.for_tenant(self.tenant).in_bulk(kept["ids"])
        alerts = list(rows.values())
        if kept["action"] == "unacknowledge":
            undo.unacknowledge(actor=self.actor, alerts=alerts)
        elif kept["action"] == "wake":
            undo.wake(actor=self.actor, alerts=alerts)
        else:
            self._give_back(rows, dict(zip(kept["ids"], kept["before"], strict=True)))
        self.say(_("Taken back."))
        return redirect(back(request))

    def _give_back(self, rows: dict[int, Alert], before: dict[int, int | None]) -> None:
        members = {user.pk: user for _id, user in members_of(self)}
        for user_id in set(before.values()):
            alerts = [row for pk, row in rows.items() if before[pk] == user_id]
            assignee = members.get(user_id) if user_id else None
            life.assign(actor=self.actor, alerts=alerts, assignee=assignee)


def undo_key(page: MemberPage, key: str) -> str:
    who = page.actor.user.pk if page.actor.user else 0
    return f"alerts:undo:{page.tenant.pk}:{who}:{key}"


def back(request: HttpRequest) -> str:
    """The page the person came from, if it is one of ours; else the inbox."""
    wanted = request.POST.get("next") or request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe else reverse("alerts")


def _counted(text: Any, done: Sequence[Alert]) -> str:
    return str(text % {"n": len(done)})
