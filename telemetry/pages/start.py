"""The first steps of a new organisation: a list that ends with its first live reading."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from fleet.models import Device, Fleet, Meter, Vehicle
from telemetry.models import DeviceHealth, MeterLatest, VehicleLatest
from tenants.models import Membership, Organisation, Scope
from tenants.pages import MemberPage


@dataclass(frozen=True, slots=True)
class Step:
    title: str | Promise
    detail: str | Promise
    url: str
    action: str | Promise
    done: bool


def steps_of(tenant: Organisation) -> list[Step]:
    """One query, of which every part stops at the first row it finds."""
    in_service = {"archived_at__isnull": True}
    have = (
        Organisation.objects.filter(pk=tenant.pk)
        .annotate(
            fleet=Exists(Fleet.objects.for_tenant(tenant).filter(**in_service)),
            vehicle=Exists(Vehicle.objects.for_tenant(tenant).filter(**in_service)),
            meter=Exists(Meter.objects.for_tenant(tenant).filter(**in_service)),
            device=Exists(Device.objects.for_tenant(tenant).filter(**in_service)),
            heard=Exists(DeviceHealth.objects.filter(tenant_id=tenant.pk, last_seen__isnull=False)),
            vehicle_heard=Exists(VehicleLatest.objects.filter(tenant_id=tenant.pk)),
            meter_heard=Exists(MeterLatest.objects.filter(tenant_id=tenant.pk)),
            colleague=Exists(Membership.objects.for_tenant(tenant).order_by("pk")[1:2]),
        )
        .values()
        .get()
    )
    heard = have["heard"] or have["vehicle_heard"] or have["meter_heard"]
    return [
        Step(
            _("Create a fleet"),
            _("Vehicles and meters live in fleets; dashboards follow a fleet."),
            reverse("fleet-new"),
            _("New fleet"),
            have["fleet"],
        ),
        Step(
            _("Add a vehicle or a meter"),
            _("One by one, or all of them from a spreadsheet."),
            reverse("vehicle-new"),
            _("New vehicle"),
            have["vehicle"] or have["meter"],
        ),
        Step(
            _("Provision a device"),
            _("It gets a credential of its own, and snippets to begin with."),
            reverse("device-new"),
            _("New device"),
            have["device"] or heard,
        ),
        Step(
            _("See the first live reading"),
            _("This page turns green the moment it is stored."),
            reverse("live") if heard else reverse("devices"),
            _("Open the live map") if heard else _("Open the devices"),
            heard,
        ),
    ]


class Checklist(MemberPage):
    page = "start"
    scopes = {"GET": Scope.FLEET_READ}
    template_name = "things/start.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        steps = steps_of(self.tenant)
        context = {
            "steps": steps,
            "done": sum(step.done for step in steps),
            "next": next((step for step in steps if not step.done), None),
            "complete": all(step.done for step in steps),
        }
        return self.show(context, template="things/start_steps.html" if self.is_fragment else "")
