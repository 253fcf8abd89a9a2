"""Import in two steps: a preview that says what every row would do, then all or nothing.

Between the two the rows wait in the cache for half an hour, encrypted for the
organisation: a file may hold VINs, and those stand nowhere in clear.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django import forms
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from fleet.imports import Plan, apply_import, form_fields, plan_import
from fleet.models import Device
from fleet.pages.kinds import FLEETS, Kind
from fleet.spreadsheets import csv_lines, read_table
from tenants import crypto
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage, refused

WAITS_S: Final = 1800
SHOWN: Final = 100
"""Rows of the preview; of the rows with errors as many again."""
PURPOSE: Final = "fleet.import"


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("CSV or XLSX file"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.xlsx,text/csv"}),
    )


class Import(MemberPage):
    kind: ClassVar[Kind] = FLEETS
    scopes = {"GET": Scope.FLEET_WRITE, "POST": Scope.FLEET_WRITE}
    template_name = "things/import.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        if "template" in request.GET:
            return _download(
                csv_lines([_heading(n) for n in form_fields(self.kind)], []),
                f"{self.kind.plural}-template.csv",
            )
        return self._page(FileForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        if "waiting" in request.POST:
            return self._confirm(request.POST["waiting"])
        form = FileForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(form, status=422)
        upload = form.cleaned_data["file"]
        try:
            table = read_table(upload.name or "", upload.read())
            plan = plan_import(self.kind, table, actor=self.actor)
        except DomainError as error:
            refused(form, error)
            return self._page(form, status=422)
        waiting = self._keep(table) if plan.is_possible else ""
        return self._page(form, plan=plan, waiting=waiting)

    def _confirm(self, waiting: str) -> HttpResponse:
        table = self._kept(waiting)
        if table is None:
            self.complain(
                DomainError("gone", 410, _("This preview is too old. Choose the file again."))
            )
            return redirect(f"{self.kind.plural}-import")
        # Checked again: the organisation may have changed since the preview.
        plan = plan_import(self.kind, table, actor=self.actor)
        if not plan.is_possible:
            return self._page(FileForm(), plan=plan, status=422)
        try:
            issued = apply_import(plan, actor=self.actor)
        except DomainError as error:
            self.complain(error)
            return self._page(FileForm(), plan=plan, status=409)
        cache.delete(self._key(waiting))
        if issued:
            return self._credentials(issued)
        done = plan.creates + plan.changes
        text = ngettext("%(n)d row was imported.", "%(n)d rows were imported.", done)
        self.say(text % {"n": done})
        return redirect(self.kind.plural)

    def _credentials(self, issued: list[tuple[Device, str]]) -> HttpResponse:
        """Shown once, and not kept: the page carries the file itself."""
        lines = csv_lines(
            ["id", "name", "credential"],
            ([device.reference, device.name, plain] for device, plain in issued),
        )
        encoded = base64.b64encode("".join(lines).encode()).decode()
        response = self.show(
            {"issued": len(issued), "file": encoded, "kind": self.kind},
            template="things/credentials.html",
        )
        response["Cache-Control"] = "no-store"
        return response

    def _page(
        self, form: FileForm, *, plan: Plan | None = None, waiting: str = "", status: int = 200
    ) -> HttpResponse:
        context: dict[str, Any] = {
            "form": form,
            "kind": self.kind,
            "columns": [_heading(name) for name in form_fields(self.kind)],
            "required": [
                _heading(name) for name in form_fields(self.kind) if name in _needed(self.kind)
            ],
        }
        if plan is not None:
            good = [row for row in plan.rows if not row.errors]
            context |= {
                "plan": plan,
                "waiting": waiting,
                "bad": plan.bad[:SHOWN],
                "good": good[:SHOWN],
                "more": len(good) > SHOWN,
                "shown_columns": [_heading(name) for name in plan.columns],
                "cells": [
                    (
                        row,
                        [
                            "•••" if n == "vin" and row.cells.get(n) else row.cells.get(n, "")
                            for n in plan.columns
                        ],
                    )
                    for row in good[:SHOWN]
                ],
            }
        return self.show(context, status=status)

    def _keep(self, table: list[dict[str, str]]) -> str:
        waiting = secrets.token_urlsafe(18)
        sealed = crypto.encrypt(json.dumps(table), tenant_id=self.tenant.pk, purpose=PURPOSE)
        cache.set(self._key(waiting), sealed, WAITS_S)
        return waiting

    def _kept(self, waiting: str) -> list[Mapping[str, str]] | None:
        sealed = cache.get(self._key(waiting)) if len(waiting) < 64 and waiting.isascii() else None
        if sealed is None:
            return None
        table: list[Mapping[str, str]] = json.loads(
            crypto.decrypt(sealed, tenant_id=self.tenant.pk, purpose=PURPOSE)
        )
        return table

    def _key(self, waiting: str) -> str:
        who = self.actor.user.pk if self.actor.user else 0
        return f"import:{self.tenant.pk}:{who}:{self.kind.plural}:{waiting}"


def _heading(field: str) -> str:
    return "id" if field == "reference" else field


def _needed(kind: Kind) -> set[str]:
    return {"reference", "name"} | ({"fleet"} if "fleet" in form_fields(kind) else set())


def _download(lines: Any, name: str) -> HttpResponse:
    response = HttpResponse("".join(lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
