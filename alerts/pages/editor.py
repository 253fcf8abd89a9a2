"""The rule editor: its page, its preview while one edits, its dry run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from alerts import rules
from alerts.definitions import References, inward, outward
from alerts.dry_run import require_history, start_dry_run
from alerts.explaining import said_by
from alerts.forms.conditions import Conditions, Steps, channel_choices
from alerts.forms.editor import RuleForms
from alerts.forms.fields import Periods
from alerts.models import DryRun, Rule
from alerts.pages.drawn import drawn
from alerts.pages.inbox import AlertsPage
from alerts.preview import LENGTH, preview
from alerts.samples import Series
from alerts.saying import condition_in_words, fences_called
from alerts.wording import saw
from fleet.models import Meter, Vehicle
from tenants.errors import DomainError
from tenants.models import Scope


class Editor(AlertsPage):
    """Another version of a rule that is there. Who may not write may read."""

    scopes = {"GET": Scope.TELEMETRY_READ, "POST": Scope.ALERTS_WRITE}
    template_name = "alerts/rule.html"

    def get(self, request: HttpRequest, public_id: UUID | None = None) -> HttpResponse:
        rule = self._rule(public_id)
        if rule is None:
            return self._page(RuleForms(self.tenant), None)
        assert rule.current is not None  # noqa: S101  (`_rule` asks for it)
        shown = outward(rule.current.definition, References(self.tenant))
        return self._page(RuleForms(self.tenant, initial=(rule.name, shown)), rule)

    def post(self, request: HttpRequest, public_id: UUID | None = None) -> HttpResponse:
        rule = self._rule(public_id)
        forms = RuleForms(self.tenant, request.POST)
        if forms.is_valid():
            try:
                return self._save(forms, rule)
            except DomainError as error:
                taken = "name" if error.code == "name_taken" else None
                forms.refuse(error.extra.get("field") or taken, error.detail)
        return self._page(forms, rule, status=422)

    def _rule(self, public_id: UUID | None) -> Rule | None:
        if public_id is None:
            return None
        return self.find(Rule, "current", public_id=public_id, current__isnull=False)

    def _save(self, forms: RuleForms, rule: Rule | None) -> HttpResponse:
        definition = inward(forms.definition(), References(self.tenant))
        name = forms.rule.cleaned_data["name"]
        if rule is None:
            rules.create_rule(actor=self.actor, name=name, definition=definition)
            self.say(_("%(rule)s watches now.") % {"rule": name})
        else:
            rules.update_rule(actor=self.actor, rule=rule, name=name, definition=definition)
            self.say(_("%(rule)s was saved.") % {"rule": name})
        return redirect("alert-rules")

    def _page(self, forms: RuleForms, rule: Rule | None, *, status: int = 200) -> HttpResponse:
        channels = {"channels": channel_choices(self.tenant)}
        empty = {
            "condition": Conditions(prefix="condition").empty_form,
            "period": Periods(prefix="period").empty_form,
            "step": Steps(prefix="step", form_kwargs=channels).empty_form,
        }
        return self.show(
            {
                "section": "rules",
                "forms": forms,
                "form": forms.rule,
                "empty": empty,
                "rule": rule,
                "versions": self._versions(rule) if rule else [],
                "subjects": self._subjects(),
                "has_channels": bool(channels["channels"]),
            },
            status=status,
        )

    def _versions(self, rule: Rule) -> list[Any]:
        versions = list(rule.versions.order_by("-number")[:50])
        called = fences_called(self.tenant, [version.definition for version in versions])
        for version in versions:
            version.says, version.facts = said_by(version, called)  # type: ignore[attr-defined]
        return versions

    def _subjects(self) -> dict[str, list[tuple[str, str]]]:
        """A few to look at; any other is named by its id."""
        return {
            noun: list(
                model.objects.for_tenant(self.tenant)
                .filter(archived_at=None)
                .order_by("name")
                .values_list("reference", "name")[:200]
            )
            for noun, model in (("vehicle", Vehicle), ("meter", Meter))
        }


class NewRule(Editor):
    scopes = {"GET": Scope.ALERTS_WRITE, "POST": Scope.ALERTS_WRITE}


class Preview(AlertsPage):
    """The chart while one edits: what the form says now, tried on one vehicle's last week.

    What is only half written is no error of the request: it is answered with what is missing.
    """

    scopes = {"POST": Scope.ALERTS_WRITE}

    def post(self, request: HttpRequest) -> HttpResponse:
        data = request.POST.copy()
        data["name"] = data.get("name") or "–"
        forms = RuleForms(self.tenant, data)
        if not forms.is_valid():
            return JsonResponse({"errors": errors_of(forms)})
        try:
            definition = inward(forms.definition(), References(self.tenant))
            spec = rules.checked_spec(self.tenant, definition)
            require_history(spec)
            subject = self._subject(spec.subject, request.POST.get("watched", ""))
            now = timezone.now()
            gap = timedelta(seconds=getattr(subject, "silent_after_s", 900))
            found = preview(self.tenant, spec, subject.pk, now=now, gap=gap)
        except DomainError as error:
            return JsonResponse({"said": error.detail})
        return JsonResponse(
            {
                **drawn(found.series, self.tenant, now - LENGTH, now),
                "from": _begins(found.series, round((now - LENGTH).timestamp() * 1000)),
                "to": round(now.timestamp() * 1000),
                "subject": subject.name,
                "says": condition_in_words(spec, fences_called(self.tenant, [definition])),
                "count": found.count,
                "episodes": [
                    {
                        name: _ms(each[f"{name}_at"]) for name in ("started", "opened", "resolved")
                    } | {"saw": [f"{one.label} {one.text}" for one in self._saw(spec, each)]}
                    for each in found.episodes
                ],
            }
        )  # fmt: skip

    def _saw(self, spec: Any, episode: dict[str, Any]) -> Any:
        return saw(spec.subject, episode["values"], self.tenant)

    def _subject(self, kind: str, reference: str) -> Any:
        model: Any = Vehicle if kind == "v" else Meter
        rows = model.objects.for_tenant(self.tenant).filter(archived_at=None)
        row = rows.filter(reference=reference.replace("\0", "")).first()
        if row is None:
            row = rows.order_by("name").first()
        if row is None:
            raise DomainError("nothing_there", 422, _("There is nothing yet to try it on."))
        return row


def _begins(series: list[Series], start: int) -> int:
    """The chart begins with the history, where that is shorter than the week."""
    return max(start, min((each.times[0] for each in series if each.times), default=start))


def errors_of(forms: RuleForms) -> dict[str, str]:
    """By the name of the field."""
    return {
        form.add_prefix(name): " ".join(str(each) for each in messages)
        for form in [forms.rule, *(form for each in forms.sets for form in each)]
        for name, messages in form.errors.items()
    }


class TryOut(AlertsPage):
    """Start a dry run of what the form says; its page part then follows itself."""

    scopes = {"POST": Scope.ALERTS_WRITE}

    def post(self, request: HttpRequest) -> HttpResponse:
        data = request.POST.copy()
        data["name"] = data.get("name") or "–"
        forms = RuleForms(self.tenant, data)
        run, refusal = None, ""
        if forms.is_valid():
            now = timezone.now()
            try:
                run = start_dry_run(
                    actor=self.actor,
                    definition=inward(forms.definition(), References(self.tenant)),
                    since=now - LENGTH,
                    until=now,
                )
            except DomainError as error:
                refusal = error.detail
        else:
            refusal = _("Mend what is marked in the form first.")
        context = {"run": run, "refusal": refusal}
        return self.show(context, template="alerts/run.html")


class DryRunPart(AlertsPage):
    """How far a dry run is, and what it found."""

    def get(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        run = self.find(DryRun, public_id=public_id)
        kind = run.definition.get("subject", "v")
        found = [
            {
                "subject": each["subject"],
                "opened_at": parse_datetime(each["opened_at"]),
                "resolved_at": parse_datetime(each["resolved_at"]) if each["resolved_at"] else None,
                "saw": saw(kind, each["values"], self.tenant),
            }
            for each in run.found
        ]
        return self.show({"run": run, "found": found, "kind": kind}, template="alerts/run.html")


def _ms(iso: str | None) -> int | None:
    at = parse_datetime(iso) if iso else None
    return None if at is None else round(at.timestamp() * 1000)
