"""Pages of geofences: the list, and the editor on the map."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts import geofences
from alerts.dry_run import start_dry_run
from alerts.engine.fences import decode_shape
from alerts.geofence_form import GeofenceForm, TrialForm, WatchForm, initial_of
from alerts.models import DryRun, Rule
from alerts.saying import condition_in_words, fences_called
from fleet.geofences import Geofence
from fleet.models import Vehicle
from telemetry.ground import map_settings
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage, refused
from tenants.tables import Column, page_of

TRIED = timedelta(days=7)


class Geofences(MemberPage):
    """All of them in a table: the twin of the layer on the maps."""

    page = "geofences"
    scopes = {"GET": Scope.TELEMETRY_READ}
    template_name = "geofences/list.html"
    columns = (
        Column("name", gettext_lazy("Geofence"), "name"),
        Column("id", gettext_lazy("Id"), "reference"),
        Column("kind", gettext_lazy("Shape"), "kind"),
        Column("size", gettext_lazy("Size"), numeric=True),
        Column("rules", gettext_lazy("Used by")),
        Column("last", gettext_lazy("Last alert")),
    )

    def get(self, request: HttpRequest) -> HttpResponse:
        query = request.GET
        archived = query.get("state") == "archived"
        rows = Geofence.objects.for_tenant(self.tenant)
        everything = rows.annotate(kind=KeyTextTransform("type", "shape"))
        shown = everything.filter(archived_at__isnull=not archived)
        wanted = query.get("q", "").strip().replace("\x00", "")[:64]
        if wanted:
            shown = shown.filter(Q(name__icontains=wanted) | Q(reference__icontains=wanted))
        table = page_of(shown, columns=self.columns, query=query, default="name")
        self._enrich(list(table.rows))
        response = self.show(
            {
                "table": table,
                "query": query,
                "filtered": bool(wanted or archived),
                "states": [("", _("In use")), ("archived", _("Archived"))],
            },
            template="geofences/table.html" if self._wants_table() else "",
        )
        response["Vary"] = "HX-Request, Cookie"
        return response

    def _wants_table(self) -> bool:
        return self.is_fragment and "HX-History-Restore-Request" not in self.request.headers

    def _enrich(self, rows: list[Any]) -> None:
        """What uses each of them, and when that last spoke: two queries for the page."""
        users = geofences.rules_by_fence(self.tenant)
        last = geofences.last_alerts(
            self.tenant, {rule for row in rows for rule in users.get(row.pk, ())}
        )
        for row in rows:
            row.decoded = decode_shape(row.shape)
            row.rules = users.get(row.pk, [])
            row.last_alert = max(
                (last[rule.pk] for rule in row.rules if rule.pk in last), default=None
            )


class EditorPage(MemberPage):
    page = "geofences"
    template_name = "geofences/editor.html"

    @property
    def fence(self) -> Geofence:
        return self.find(Geofence, reference=self.kwargs["geofence_id"])

    def editor(
        self, form: GeofenceForm, fence: Geofence | None = None, status: int = 200
    ) -> HttpResponse:
        context: dict[str, Any] = {"form": form, "fence": fence, "start": self._start(fence)}
        if fence is not None:
            using = geofences.rules_by_fence(self.tenant).get(fence.pk, [])
            called = fences_called(self.tenant, [_definition(rule) for rule in using])
            context["rules"] = [(rule, _says(rule, called)) for rule in using]
            context["watch"] = WatchForm()
        return self.show(context, status=status)

    def _start(self, fence: Geofence | None) -> dict[str, Any]:
        """What the page's modules need to know."""
        return {
            "shapes": f"{reverse('geofences-shapes')}?vehicles=1",
            "id": fence.reference if fence else "",
            "is_editable": Scope.ALERTS_WRITE in self.actor.scopes
            and (fence is None or fence.archived_at is None),
            "map": map_settings(),
        }


class NewGeofence(EditorPage):
    scopes = {"GET": Scope.ALERTS_WRITE, "POST": Scope.ALERTS_WRITE}

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.editor(GeofenceForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = GeofenceForm(request.POST)
        if form.is_valid():
            fields = {name: form.cleaned_data[name] for name in ("name", "colour", "shape")}
            try:
                fence = geofences.create(actor=self.actor, **fields)
            except DomainError as error:
                refused(form, error)
            else:
                self.say(_("%(name)s is saved.") % {"name": fence.name})
                return redirect("geofence", fence.reference)
        return self.editor(form, status=422)


class EditGeofence(EditorPage):
    scopes = {"GET": Scope.TELEMETRY_READ, "POST": Scope.ALERTS_WRITE}

    def get(self, request: HttpRequest, geofence_id: str) -> HttpResponse:
        fence = self.fence
        return self.editor(GeofenceForm(initial=initial_of(fence)), fence)

    def post(self, request: HttpRequest, geofence_id: str) -> HttpResponse:
        fence = self.fence
        form = GeofenceForm(request.POST)
        if form.is_valid():
            fields = {name: form.cleaned_data[name] for name in ("name", "colour", "shape")}
            try:
                if fence.archived_at is not None:
                    raise DomainError("archived", 409, _("It is archived. Restore it first."))
                geofences.update(actor=self.actor, geofence=fence, **fields)
            except DomainError as error:
                refused(form, error)
            else:
                self.say(_("%(name)s is saved.") % {"name": fence.name})
                return redirect("geofence", fence.reference)
        return self.editor(form, fence, status=422)


class ArchiveGeofence(EditorPage):
    scopes = {"POST": Scope.ALERTS_WRITE}

    def post(self, request: HttpRequest, geofence_id: str) -> HttpResponse:
        fence = self.fence
        geofences.archive(actor=self.actor, geofence=fence)
        undo = reverse("geofence-restore", args=[fence.reference])
        self.say(_("%(name)s was archived.") % {"name": fence.name}, undo=undo)
        return redirect("geofences")


class RestoreGeofence(EditorPage):
    scopes = {"POST": Scope.ALERTS_WRITE}

    def post(self, request: HttpRequest, geofence_id: str) -> HttpResponse:
        fence = self.fence
        geofences.restore(actor=self.actor, geofence=fence)
        self.say(_("%(name)s is back.") % {"name": fence.name})
        return redirect("geofences")


class WatchGeofence(EditorPage):
    """The rule that most people draw a geofence for, in one click."""

    scopes = {"POST": Scope.ALERTS_WRITE}

    def post(self, request: HttpRequest, geofence_id: str) -> HttpResponse:
        fence = self.fence
        form = WatchForm(request.POST)
        try:
            if not form.is_valid():
                raise DomainError("invalid_rule", 422, _("Choose what a vehicle does there."))
            rule = geofences.watch(
                actor=self.actor,
                geofence=fence,
                event=form.cleaned_data["event"],
                minutes=form.cleaned_data["minutes"] or 10,
                severity=form.cleaned_data["severity"],
            )
        except DomainError as error:
            self.complain(error)
        else:
            self.say(_("You will be alerted: %(rule)s.") % {"rule": rule.name})
        return redirect("geofence", fence.reference)


class TryGeofence(MemberPage):
    """What a shape that is being drawn would have raised in the last days."""

    scopes = {"POST": Scope.ALERTS_WRITE}

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TrialForm(request.POST)
        if not form.is_valid():
            return JsonResponse({"errors": form.errors}, status=422)
        event = form.cleaned_data["event"] or "enter"
        minutes = form.cleaned_data["minutes"] or 10
        where = {"shape": form.cleaned_data["shape"]}
        now = timezone.now()
        try:
            run = start_dry_run(
                actor=self.actor,
                definition=geofences.watching(where, event=event, minutes=minutes),
                since=now - TRIED,
                until=now,
            )
        except DomainError as error:
            return JsonResponse({"errors": {"__all__": [error.detail]}}, status=error.status)
        return JsonResponse({"run": reverse("geofences-tried", args=[run.public_id])}, status=202)


class Tried(MemberPage):
    """How far a trial is, and what it found: a part of the editor's page."""

    scopes = {"GET": Scope.TELEMETRY_READ}
    template_name = "geofences/tried.html"

    def get(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        run = self.find(DryRun, public_id=public_id)
        if run.definition["kind"] != "geofence":
            raise Http404
        times = Counter(episode["subject"] for episode in run.found)
        names = dict(
            Vehicle.objects.for_tenant(self.tenant)
            .filter(reference__in=list(times))
            .values_list("reference", "name")
        )
        vehicles = [(ref, names.get(ref, ref), n) for ref, n in times.most_common()]
        event = run.definition["params"]["event"]
        return self.show({"run": run, "vehicles": vehicles, "event": event})


def _definition(rule: Rule) -> dict[str, Any]:
    return {} if rule.current is None else rule.current.definition


def _says(rule: Rule, called: dict[int, str]) -> str:
    return "" if rule.current is None else condition_in_words(rule.current.spec, called)
