"""Creating, changing, archiving and restoring: the same four pages for every kind."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from fleet.forms import fleets_in_service, initial_of
from fleet.models import Referenced
from fleet.pages.kinds import DEVICES, FLEETS, METERS, Kind
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage, refused


class ThingPage(MemberPage):
    """A page about one kind; `reference` of the row arrives as `<noun>_id`."""

    kind: ClassVar[Kind] = FLEETS

    @property
    def row(self) -> Any:
        return self.find(
            self.kind.model, *self.kind.joined, reference=self.kwargs[f"{self.kind.noun}_id"]
        )

    def after(self, row: Referenced) -> str:
        """Where to go once a row was changed: meters and devices have a page of their own."""
        if self.kind in (METERS, DEVICES):
            return reverse(self.kind.noun, args=[row.reference])
        return self.kind.list_url


class NewThing(ThingPage):
    scopes = {"GET": Scope.FLEET_WRITE, "POST": Scope.FLEET_WRITE}
    template_name = "things/form.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        # A list filtered by a fleet hands it on; refused readings name whom they lack.
        asked = {"fleet": request.GET.get("fleet", ""), "reference": request.GET.get("id", "")}
        return self._form({name: value[:64] for name, value in asked.items()})

    def post(self, request: HttpRequest) -> HttpResponse:
        assert self.kind.form is not None and self.kind.create is not None  # noqa: S101
        form = self.kind.form(request.POST, fleets=fleets_in_service(self.tenant))
        if form.is_valid():
            try:
                row = self.kind.create(actor=self.actor, **form.cleaned_data)
            except DomainError as error:
                refused(form, error)
            else:
                self.say(_("%(name)s was created.") % {"name": row.name})
                if "another" in request.POST:
                    return redirect(request.get_full_path())
                return redirect(self.after(row))
        return self.show({"form": form, "kind": self.kind}, status=422)

    def _form(self, initial: dict[str, Any]) -> HttpResponse:
        assert self.kind.form is not None  # noqa: S101  (devices have pages of their own)
        fleets = fleets_in_service(self.tenant)
        form = self.kind.form(initial=initial, fleets=fleets)
        no_fleet = "fleet" in form.fields and not fleets
        return self.show({"form": form, "kind": self.kind, "no_fleet": no_fleet})


class EditThing(ThingPage):
    scopes = {"GET": Scope.FLEET_WRITE, "POST": Scope.FLEET_WRITE}
    template_name = "things/form.html"

    def get(self, request: HttpRequest, **ids: str) -> HttpResponse:
        row = self.row
        assert self.kind.edit_form is not None  # noqa: S101
        form = self.kind.edit_form(initial=initial_of(row), fleets=fleets_in_service(self.tenant))
        return self._page(form, row)

    def post(self, request: HttpRequest, **ids: str) -> HttpResponse:
        row = self.row
        assert self.kind.edit_form is not None and self.kind.update is not None  # noqa: S101
        form = self.kind.edit_form(request.POST, fleets=fleets_in_service(self.tenant))
        if form.is_valid():
            try:
                row = self.kind.update(actor=self.actor, row=row, **form.cleaned_data)
            except DomainError as error:
                refused(form, error)
            else:
                self.say(_("%(name)s was changed.") % {"name": row.name})
                return redirect(self.after(row))
        return self._page(form, row, status=422)

    def _page(self, form: Any, row: Any, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "kind": self.kind,
            "row": row,
            "archive_url": self.kind.url("archive", row),
            "restore_url": self.kind.url("restore", row),
        }
        return self.show(context, status=status)


class ArchiveThing(ThingPage):
    scopes = {"POST": Scope.FLEET_WRITE}

    def post(self, request: HttpRequest, **ids: str) -> HttpResponse:
        row = self.row
        try:
            self.kind.archive(actor=self.actor, row=row)
        except DomainError as error:
            self.complain(error)
        else:
            text = _("%(name)s was archived.") % {"name": row.name}
            if self.kind is DEVICES:
                text += " " + _("Its credential was revoked.")
            self.say(text, undo=self.kind.url("restore", row))
        return redirect(self.kind.list_url)


class RestoreThing(ThingPage):
    scopes = {"POST": Scope.FLEET_WRITE}

    def post(self, request: HttpRequest, **ids: str) -> HttpResponse:
        row = self.row
        try:
            self.kind.restore(actor=self.actor, row=row)
        except DomainError as error:
            self.complain(error)
            return redirect(self.kind.list_url)
        text = _("%(name)s is back in service.") % {"name": row.name}
        if self.kind is DEVICES:
            text += " " + _("It needs a new credential to connect.")
        self.say(text)
        return redirect(self.after(row))
