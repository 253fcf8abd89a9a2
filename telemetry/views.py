"""Pages of the console."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET, require_POST

from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS
from telemetry.first_look import first_look
from telemetry.ground import map_settings
from telemetry.saved_views import views_for
from telemetry.trails import recent_trails
from tenants.actors import Actor
from tenants.models import Organisation, Scope, User
from tenants.preferences import is_imperial
from tenants.selectors import (
    SESSION_TENANT,
    actor_for_request,
    memberships_of,
    tenant_for_request,
)

FRAMED = {"map", "selected", "wall"}
"""What an address may say and still show the whole fleet in its own order."""


@login_required
@require_GET
def live(request: HttpRequest) -> HttpResponse:
    """The fleet on a map, and beside it a list."""
    actor = actor_for_request(request)
    if actor is None:
        return render(request, "telemetry/no_organisation.html", status=403)
    organisation = actor.tenant
    request.actor = actor  # type: ignore[attr-defined]  # So that the shell need not ask again.
    return render(
        request,
        "telemetry/live.html",
        {
            "page": "live",
            "organisation": organisation,
            "organisations": _organisations(request, organisation),
            "start": _start(actor) | {"csrf": get_token(request), "first": _first(request, actor)},
        },
    )


@gzip_page
@login_required
@require_GET
def trails(request: HttpRequest) -> HttpResponse:
    """Where the vehicles have been in the last minutes, for the live map."""
    organisation = tenant_for_request(request)
    if organisation is None:
        return JsonResponse({"trails": {}}, status=403)
    return JsonResponse({"trails": recent_trails(organisation.pk)})


@login_required
@require_POST
def switch_organisation(request: HttpRequest) -> HttpResponse:
    """Work in another of one's organisations from now on."""
    wanted = request.POST.get("organisation", "")
    for organisation in _organisations(request, None):
        if organisation.slug == wanted:
            request.session[SESSION_TENANT] = organisation.pk
            return redirect("live")
    raise Http404


def _organisations(request: HttpRequest, current: Organisation | None) -> list[Organisation]:
    assert isinstance(request.user, User)  # noqa: S101 (login_required; tells the type checker)
    found = [membership.tenant for membership in memberships_of(request.user)]
    # Support staff look into an organisation that they are no members of.
    return found if current is None or current in found else [current, *found]


def _first(request: HttpRequest, actor: Actor) -> list[dict[str, Any]]:
    # A view of its own choice or order shows others first: those the socket brings.
    if Scope.TELEMETRY_READ not in actor.scopes or not FRAMED.issuperset(request.GET):
        return []
    return first_look(actor.tenant.pk)


def _start(actor: Actor) -> dict[str, Any]:
    """What the page's modules need to know before the socket has said anything."""
    return {
        "socket": "/telemetry",
        "steps": reverse("start"),
        "trails": reverse("live-trails"),
        "since": reverse("live-since"),
        "past": reverse("live-past"),
        "lately": reverse("live-lately", args=["0id0"]),
        "views_address": reverse("live-views"),
        "views": views_for(actor),
        "may_act": Scope.ALERTS_ACT in actor.scopes,
        "imperial": is_imperial(actor.tenant),
        "map": map_settings(),
        "fields": {
            field.name: {"label": _(field.label), "unit": field.unit, "kind": field.kind}
            for field in (*VEHICLE_FIELDS.values(), *METER_FIELDS.values())
        },
    }
