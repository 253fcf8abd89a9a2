"""Provisioning a device, and its page: how it is doing, what it sent, why it is silent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from fleet import services
from fleet.forms import DeviceForm, initial_of
from fleet.models import Device, DeviceCredential, Vehicle
from fleet.pages.kinds import DEVICES
from fleet.protocols import PROTOCOLS, protocol_named
from telemetry.dark import explain, is_silent
from telemetry.evidence import evidence_about
from telemetry.fields import METER_FIELDS, VEHICLE_FIELDS
from telemetry.frames import readable, reason
from telemetry.models import (
    DeviceHealth,
    MeterHour,
    MeterLatest,
    QuarantinedFrame,
    VehicleHour,
    VehicleLatest,
)
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage, refused
from tenants.preferences import zone_of

FRAMES = 10


class DeviceBase(MemberPage):
    page = "devices"

    @property
    def device(self) -> Device:
        return self.find(Device, "tenant", "vehicle", "meter", reference=self.kwargs["device_id"])


class NewDevice(MemberPage):
    """Three steps: what it speaks for, which protocol, then the credential, once."""

    page = "devices"
    scopes = {"GET": Scope.FLEET_WRITE, "POST": Scope.FLEET_WRITE}
    template_name = "things/device_new.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = {name: request.GET.get(name, "") for name in ("vehicle", "meter")}
        form = DeviceForm(initial=asked, tenant=self.tenant, fleets={})
        return self.show({"form": form, "protocols": PROTOCOLS})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = DeviceForm(request.POST, tenant=self.tenant, fleets={})
        if form.is_valid():
            try:
                device, plain = services.provision_device(actor=self.actor, **form.cleaned_data)
            except DomainError as error:
                refused(form, error)
            else:
                return credential_page(self, device, plain, is_new=True)
        return self.show({"form": form, "protocols": PROTOCOLS}, status=422)


class EditDevice(DeviceBase):
    scopes = {"GET": Scope.FLEET_WRITE, "POST": Scope.FLEET_WRITE}
    template_name = "things/form.html"

    def get(self, request: HttpRequest, device_id: str) -> HttpResponse:
        device = self.device
        form = DeviceForm(initial=initial_of(device), tenant=self.tenant, fleets={})
        return self._page(form, device)

    def post(self, request: HttpRequest, device_id: str) -> HttpResponse:
        device = self.device
        form = DeviceForm(request.POST, tenant=self.tenant, fleets={})
        if form.is_valid():
            try:
                device = services.update_device(
                    actor=self.actor, device=device, **form.cleaned_data
                )
            except DomainError as error:
                refused(form, error)
            else:
                self.say(_("%(name)s was changed.") % {"name": device.name})
                return redirect("device", device.reference)
        return self._page(form, device, status=422)

    def _page(self, form: DeviceForm, device: Device, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "kind": DEVICES,
            "row": device,
            "archive_url": DEVICES.url("archive", device),
            "restore_url": DEVICES.url("restore", device),
        }
        return self.show(context, status=status)


class Rotate(DeviceBase):
    """A new credential; the old one is shut out at once."""

    scopes = {"POST": Scope.FLEET_WRITE}

    def post(self, request: HttpRequest, device_id: str) -> HttpResponse:
        device = self.device
        try:
            plain = services.rotate_credential(actor=self.actor, device=device)
        except DomainError as error:
            self.complain(error)
            return redirect("device", device.reference)
        return credential_page(self, device, plain, is_new=False)


class Revoke(DeviceBase):
    scopes = {"POST": Scope.FLEET_WRITE}

    def post(self, request: HttpRequest, device_id: str) -> HttpResponse:
        device = self.device
        services.revoke_credential(actor=self.actor, device=device)
        self.say(
            _("%(name)s is shut out. Issue a new credential to let it in.") % {"name": device.name}
        )
        return redirect("device", device.reference)


def credential_page(page: MemberPage, device: Device, plain: str, *, is_new: bool) -> HttpResponse:
    """The secret, shown this once: it is kept nowhere, this answer included."""
    request = page.request
    socket = "wss" if request.is_secure() else "ws"
    response = page.show(
        {
            "device": device,
            "secret": plain,
            "is_new": is_new,
            "protocol": protocol_named(device.protocol),
            "socket_url": f"{socket}://{request.get_host()}/device",
            "http_url": request.build_absolute_uri("/v1/telemetry/ingest"),
            "light_url": _light_url(device),
            "now": timezone.now().replace(microsecond=0),
        },
        template="things/credential.html",
    )
    response["Cache-Control"] = "no-store"
    return response


def _light_url(device: Device) -> str:
    return f"{reverse('device-light', args=[device.reference])}?since={timezone.now().isoformat()}"


class Light(DeviceBase):
    """Amber until the first reading since `since` is stored, then green; asked every second.

    What was refused shows too: a first frame is often wrong in one field.
    """

    scopes = {"GET": Scope.FLEET_READ}
    template_name = "things/light.html"

    def get(self, request: HttpRequest, device_id: str) -> HttpResponse:
        device = self.device
        since = _moment(request.GET.get("since", "")) or device.created_at
        health = DeviceHealth.objects.filter(pk=device.pk).first()
        heard = health is not None and health.last_seen is not None and health.last_seen >= since
        refusal = None
        if not heard:
            refusal = (
                QuarantinedFrame.objects.filter(device_id=device.pk, received_at__gte=since)
                .order_by("-received_at")
                .first()
            )
        return self.show(
            {
                "device": device,
                "heard": heard,
                "health": health,
                "values": _values_of(device) if heard else [],
                "refusal": refusal,
                "refusal_raw": readable(refusal.raw) if refusal else "",
                "light_url": request.get_full_path(),
            }
        )


class DevicePage(DeviceBase):
    scopes = {"GET": Scope.FLEET_READ}
    template_name = "things/device.html"

    def get(self, request: HttpRequest, device_id: str) -> HttpResponse:
        device = self.device
        health = DeviceHealth.objects.filter(pk=device.pk).first()
        evidence = evidence_about(device)
        hours = _hours_of(device)
        frames = list(
            QuarantinedFrame.objects.filter(device_id=device.pk).order_by("-received_at")[:FRAMES]
        )
        credential = (
            DeviceCredential.objects.for_tenant(self.tenant)
            .filter(device=device)
            .order_by("revoked_at", "-created_at")
            .last()
        )
        return self.show(
            {
                "device": device,
                "health": health,
                "silent": is_silent(evidence),
                "findings": explain(evidence),
                "refusals": _refusals(health),
                "frames": [
                    {"row": row, "reason": reason(row.code), "text": readable(row.raw)}
                    for row in frames
                ],
                "hours": hours,
                "gaps": sum(not hour["n"] for hour in hours),
                "values": _values_of(device),
                "credential": credential,
                "live_credential": credential is not None and credential.revoked_at is None,
                "protocol": protocol_named(device.protocol),
            }
        )


class WhyDark(MemberPage):
    """Why is this vehicle dark? The causes, ranked; a part of the page for htmx, else all of it."""

    page = "vehicles"
    scopes = {"GET": Scope.FLEET_READ}
    template_name = "things/dark.html"

    def get(self, request: HttpRequest, vehicle_id: str) -> HttpResponse:
        vehicle = self.find(Vehicle, "fleet", reference=vehicle_id)
        evidence = evidence_about(vehicle)
        devices = Device.objects.for_tenant(self.tenant).filter(vehicle=vehicle)
        context = {
            "vehicle": vehicle,
            "silent": is_silent(evidence),
            "last_seen": evidence.last_seen,
            "findings": explain(evidence),
            "devices": devices.order_by("archived_at", "name")[:20],
        }
        if self.is_fragment:
            return self.show(context, template="things/findings.html")
        return self.show(context)


def _values_of(device: Device) -> list[tuple[str, str, Any]]:
    """What the device's subject last reported: label, unit, value."""
    if device.vehicle_id:
        state: Any = VehicleLatest.objects.filter(pk=device.vehicle_id).first()
        fields = VEHICLE_FIELDS
    elif device.meter_id:
        state = MeterLatest.objects.filter(pk=device.meter_id).first()
        fields = METER_FIELDS
    else:
        return []
    if state is None:
        return []
    pairs = ((field, getattr(state, field.name)) for field in fields.values())
    return [(field.label, field.unit, value) for field, value in pairs if value is not None]


def _hours_of(device: Device) -> list[dict[str, Any]]:
    """How many readings of the device's subject each of the last 24 hours holds; the oldest
    first, the hour that is not over last. Empty where nothing is heard of it at all."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    since = now - timedelta(hours=23)
    counted: dict[datetime, int] = {}
    if device.vehicle_id:
        rows: Any = VehicleHour.objects.filter(vehicle_id=device.vehicle_id, hour__gte=since)
        counted = dict(rows.values_list("hour", "readings"))
    elif device.meter_id:
        rows = MeterHour.objects.filter(meter_id=device.meter_id, hour__gte=since)
        counted = dict(rows.values_list("hour", "readings"))
    most = max(counted.values(), default=0)
    if not most:
        return []
    zone = zone_of(device.tenant)
    hours = [since + timedelta(hours=n) for n in range(24)]
    return [
        {
            "label": f"{at.astimezone(zone):%H:%M}",
            "n": counted.get(at, 0),
            "share": max(100 * counted.get(at, 0) / most, 4),
        }
        for at in hours
    ]


def _refusals(health: DeviceHealth | None) -> list[tuple[Any, int]]:
    counts = health.refusals if health else {}
    return [(reason(code), n) for code, n in sorted(counts.items(), key=lambda item: -item[1])]


def _moment(text: str) -> Any:
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
