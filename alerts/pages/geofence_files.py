"""Geofences as maps and other programs take them: shapes for our own maps, GeoJSON."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import ngettext

from alerts import geofences
from alerts.geofence_form import FileForm
from alerts.geojson import read_geojson, write_geojson
from fleet.geofences import Geofence
from telemetry.models import VehicleLatest
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage, refused

PLACES = 5000
"""Vehicles shown faintly in the editor."""


class Shapes(MemberPage):
    """Everything a map lays under its vehicles; `vehicles` adds where those are now."""

    scopes = {"GET": Scope.TELEMETRY_READ}

    def get(self, request: HttpRequest) -> HttpResponse:
        fences = Geofence.objects.for_tenant(self.tenant).filter(archived_at=None).order_by("pk")
        found: dict[str, Any] = {
            "fences": [
                {"id": reference, "name": name, "colour": colour, "shape": shape}
                for reference, name, colour, shape in fences.values_list(
                    "reference", "name", "colour", "shape"
                )
            ]
        }
        if "vehicles" in request.GET:
            places = VehicleLatest.objects.filter(
                tenant_id=self.tenant.pk, lat__isnull=False, lon__isnull=False
            )
            found["vehicles"] = list(places.values_list("lon", "lat")[:PLACES])
        return JsonResponse(found, headers={"Cache-Control": "private, no-store"})


class ImportGeofences(MemberPage):
    page = "geofences"
    scopes = {"GET": Scope.ALERTS_WRITE, "POST": Scope.ALERTS_WRITE}
    template_name = "geofences/import.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show({"form": FileForm()})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = FileForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                imported = read_geojson(form.cleaned_data["file"].read())
                made, changed = geofences.bring_in(actor=self.actor, imported=imported)
            except DomainError as error:
                refused(form, error)
            else:
                n = made + changed
                self.say(
                    ngettext("%(n)d geofence was imported.", "%(n)d geofences were imported.", n)
                    % {"n": n}
                )
                return redirect("geofences")
        return self.show({"form": form}, status=422)


class ExportGeofences(MemberPage):
    scopes = {"GET": Scope.TELEMETRY_READ}

    def get(self, request: HttpRequest) -> HttpResponse:
        fences = Geofence.objects.for_tenant(self.tenant).filter(archived_at=None)
        body = json.dumps(write_geojson(fences.order_by("reference")), ensure_ascii=False)
        response = HttpResponse(body, content_type="application/geo+json")
        name = f"geofences-{timezone.now():%Y-%m-%d}.geojson"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "private, no-store"
        return response
