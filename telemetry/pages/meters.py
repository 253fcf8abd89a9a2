"""A meter's page: what it last counted, and which vehicle that flows into."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from fleet.models import Device, Meter, MeterMapping
from telemetry.dark import explain, is_silent
from telemetry.evidence import evidence_about
from telemetry.fields import METER_FIELDS
from telemetry.models import MeterLatest
from tenants.models import Scope
from tenants.pages import MemberPage

MAPPINGS = 100


class MeterPage(MemberPage):
    page = "meters"
    scopes = {"GET": Scope.FLEET_READ}
    template_name = "things/meter.html"

    def get(self, request: HttpRequest, meter_id: str) -> HttpResponse:
        meter = self.find(Meter, "fleet", reference=meter_id)
        state = MeterLatest.objects.filter(pk=meter.pk).first()
        evidence = evidence_about(meter)
        mappings = list(
            MeterMapping.objects.for_tenant(self.tenant)
            .filter(meter=meter)
            .select_related("vehicle")
            .order_by("-valid")[:MAPPINGS]
        )
        now = timezone.now()
        for mapping in mappings:
            mapping.is_current = now in mapping.valid  # type: ignore[attr-defined]
        values = [
            (field.label, field.unit, getattr(state, field.name))
            for field in METER_FIELDS.values()
            if state is not None and getattr(state, field.name) is not None
        ]
        devices = Device.objects.for_tenant(self.tenant).filter(meter=meter)
        return self.show(
            {
                "meter": meter,
                "state": state,
                "values": values,
                "mappings": mappings,
                "devices": devices.order_by("archived_at", "name")[:20],
                "silent": is_silent(evidence),
                "findings": explain(evidence),
            }
        )
