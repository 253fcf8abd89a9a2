"""Jump to anything: what Ctrl-K and the fields that name a vehicle or meter search."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Case, IntegerField, Q, Value, When
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from fleet.geofences import Geofence
from fleet.models import Device, Fleet, Meter, Referenced, Vehicle
from tenants.models import Scope
from tenants.pages import MemberPage

KINDS: dict[str, tuple[type[Referenced], str]] = {
    "vehicle": (Vehicle, "plate"),
    "meter": (Meter, ""),
    "device": (Device, ""),
    "fleet": (Fleet, ""),
    "geofence": (Geofence, ""),
}
LABELS = {"vehicle": _("vehicle"), "meter": _("meter"), "device": _("device"), "fleet": _("fleet")}
MOST = 6
"""Of each kind."""


class Palette(MemberPage):
    """`q` searches names, ids and plates; `kind` narrows it to one kind. One query a kind.

    Other apps have more to find: `PALETTE_SOURCES` names them.
    """

    scopes = {"GET": Scope.FLEET_READ}

    def get(self, request: HttpRequest) -> HttpResponse:
        wanted = request.GET.get("q", "").strip().replace("\x00", "")[:64]
        only = request.GET.get("kind")
        kinds = [only] if only in KINDS else list(KINDS)
        found = [row for kind in kinds for row in self._search(kind, wanted)] if wanted else []
        if wanted and only not in KINDS:
            for source in settings.PALETTE_SOURCES:
                found += import_string(source)(self.actor, wanted)
        return JsonResponse({"found": found}, headers={"Cache-Control": "private, no-store"})

    def _search(self, kind: str, wanted: str) -> list[dict[str, Any]]:
        model, extra = KINDS[kind]
        match = Q(reference__icontains=wanted) | Q(name__icontains=wanted)
        if extra:
            match |= Q(**{f"{extra}__icontains": wanted})
        rank = Case(
            When(reference__iexact=wanted, then=Value(0)),
            When(Q(name__istartswith=wanted) | Q(reference__istartswith=wanted), then=Value(1)),
            default=Value(2),
            output_field=IntegerField(),
        )
        rows = (
            model.objects.for_tenant(self.tenant)
            .filter(match, archived_at__isnull=True)
            .order_by(rank, "name", "reference")[:MOST]
        )
        return [
            {
                "kind": kind,
                "label": LABELS[kind],
                "id": row.reference,
                "name": row.name,
                "hint": getattr(row, extra, "") if extra else "",
                "url": address_of(kind, row.reference),
            }
            for row in rows
        ]


def address_of(kind: str, reference: str) -> str:
    """The page of a thing. A fleet's is the list of its vehicles."""
    if kind == "fleet":
        return f"{reverse('vehicles')}?fleet={reference}"
    try:
        return reverse(kind, args=[reference])
    except NoReverseMatch:
        return reverse(f"{kind}-dark", args=[reference])
