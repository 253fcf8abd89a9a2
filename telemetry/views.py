"""Pages of the console."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS
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

MAP_FILES = ("land-50m", "land-10m", "borders-50m", "borders-10m", "places")


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
            "start": _start(actor) | {"csrf": get_token(request)},
        },
    )


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
        "map": {
            "light": settings.MAP_STYLE_URL,
            "dark": settings.MAP_STYLE_DARK_URL,
            "worker": static("npm/maplibre-gl-worker.mjs"),
            "css": static("npm/maplibre-gl.css"),
            "files": {name: static(f"map/{name}.json") for name in MAP_FILES},
        },
        "fields": {
            field.name: {"label": _(field.label), "unit": field.unit, "kind": field.kind}
            for field in (*VEHICLE_FIELDS.values(), *METER_FIELDS.values())
        },
    }
