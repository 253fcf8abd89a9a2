"""Latest states and the readings they came from, to look at only."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString

from fleet.models import Meter, Vehicle
from telemetry.admin.recent import last_readings
from telemetry.models import MeterLatest, VehicleLatest
from telemetry.storage.subjects import METERS, VEHICLES, Subject
from tenants.admin_base import TenantAdmin


class LatestAdmin(TenantAdmin):
    """Found by the reference of the vehicle or meter."""

    subject: ClassVar[Subject]
    subject_model: ClassVar[type[Vehicle] | type[Meter]]
    search_fields = ("tenant_id",)
    readonly_fields = ("reference", "last_readings")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        named = self.subject_model.unscoped.filter(pk=OuterRef("pk")).values("reference")
        queryset: QuerySet[Any] = super().get_queryset(request)
        queryset = queryset.annotate(_reference=Subquery(named[:1]))
        return queryset

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        named = self.subject_model.unscoped.filter(reference__iexact=term)
        return queryset.filter(pk__in=named.values("pk")), False

    @admin.display(ordering="_reference")
    def reference(self, latest: Any) -> str:
        return latest._reference or f"#{latest.pk}"

    @admin.display(description="last readings")
    def last_readings(self, latest: Any) -> SafeString | str:
        return last_readings(self.subject, latest.pk)


@admin.register(VehicleLatest)
class VehicleLatestAdmin(LatestAdmin):
    subject = VEHICLES
    subject_model = Vehicle
    search_help_text = "A vehicle's reference"
    list_display = ("reference", "time", "received_at", "speed_kmh", "soc_pct", "protocol")
    ordering = ("vehicle_id",)


@admin.register(MeterLatest)
class MeterLatestAdmin(LatestAdmin):
    subject = METERS
    subject_model = Meter
    search_help_text = "A meter's reference"
    list_display = ("reference", "time", "received_at", "energy_ac_kwh", "power_kw", "protocol")
    ordering = ("meter_id",)
