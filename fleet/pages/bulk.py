"""What is done to many rows of a list at once: to all that were chosen, or to none."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fleet.models import Fleet
from fleet.pages.kinds import DEVICES, KINDS, Kind
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage

MOST: Final = 50
"""As many as a list shows on a page."""


class Bulk(MemberPage):
    """`row` names the things, `action` what to do: archive, restore, or move (to `fleet`).

    An undo carries both in its address, a list in its form.
    """

    kind: ClassVar[Kind] = KINDS["vehicles"]
    scopes = {"POST": Scope.FLEET_WRITE}

    def post(self, request: HttpRequest) -> HttpResponse:
        asked = request.GET if "action" in request.GET else request.POST
        rows = self._chosen(asked.getlist("row"))
        action = asked.get("action", "")
        try:
            with transaction.atomic():
                for row in rows:
                    self._carry_out(action, row, asked)
        except DomainError as error:
            messages = _("Nothing was changed. %(name)s: %(why)s")
            self.complain(
                DomainError(
                    error.code, error.status, messages % {"name": row.name, "why": error.detail}
                )
            )
        else:
            self._tell(action, rows)
        return redirect(self.kind.list_url)

    def _chosen(self, references: list[str]) -> list[Any]:
        """In the order of their ids, so that two people's bulks cannot wait for each other."""
        wanted = {each for each in references if "\x00" not in each}
        rows = list(
            self.kind.model.objects.for_tenant(self.tenant)
            .select_related(*self.kind.joined)
            .filter(reference__in=list(wanted)[: MOST + 1])
            .order_by("pk")
        )
        if not rows or len(rows) != len(set(references)) or len(rows) > MOST:
            raise Http404
        return rows

    def _carry_out(self, action: str, row: Any, asked: QueryDict) -> None:
        if action == "archive":
            self.kind.archive(actor=self.actor, row=row)
        elif action == "restore":
            self.kind.restore(actor=self.actor, row=row)
        elif action == "move" and self.kind.update is not None and hasattr(row, "fleet"):
            fleet = self.find(Fleet, reference=asked.get("fleet", "").replace("\x00", ""))
            self.kind.update(actor=self.actor, row=row, fleet=fleet)
        else:
            raise Http404

    def _tell(self, action: str, rows: list[Any]) -> None:
        n = len(rows)
        if action == "archive":
            text = ngettext("%(name)s was archived.", "%(n)d were archived.", n)
            back = QueryDict(mutable=True)
            back["action"] = "restore"
            back.setlist("row", [row.reference for row in rows])
            self.say(
                text % {"n": n, "name": rows[0].name},
                undo=f"{self.request.path}?{back.urlencode()}",
            )
            return
        if action == "restore":
            text = ngettext("%(name)s is back in service.", "%(n)d are back in service.", n)
            if self.kind is DEVICES:
                text += " " + ngettext(
                    "It needs a new credential to connect.",
                    "Each needs a new credential to connect.",
                    n,
                )
        else:
            text = ngettext("%(name)s was moved.", "%(n)d were moved.", n)
        self.say(text % {"n": n, "name": rows[0].name})
