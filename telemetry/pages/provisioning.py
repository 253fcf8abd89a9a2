"""Provisioning a device: what it speaks for, its credential, and the light that turns green."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from fleet import services
from fleet.forms import DeviceForm, initial_of
from fleet.models import Device
from fleet.pages.kinds import DEVICES
from fleet.protocols import PROTOCOLS, protocol_named
from telemetry.frames import readable
from telemetry.inspection.shown import ShownFrame
from telemetry.models import DeviceHealth, QuarantinedFrame
from telemetry.pages.devices import DeviceBase, looked_at, values_of
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage, refused


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
    looked_at(device)  # Before its first frame can come.
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
        seen = looked_at(device, since)
        health = DeviceHealth.objects.filter(pk=device.pk).first()
        heard = health is not None and health.last_seen is not None and health.last_seen >= since
        message = _telling(seen["messages"]) if heard else next(iter(seen["messages"]), None)
        refusal = None
        if not heard and message is None:
            refusal = (
                QuarantinedFrame.objects.filter(device_id=device.pk, received_at__gte=since)
                .order_by("-received_at")
                .first()
            )
        return self.show(
            {
                "device": device,
                "heard": heard,
                # Its credential opens and it is understood, but nothing new came of it yet.
                "only_again": heard and _only_again(message, health),
                "health": health,
                "message": message,
                "values": values_of(device) if heard and message is None else [],
                "refusal": refusal,
                "refusal_raw": readable(refusal.raw) if refusal else "",
                # What is stored may be seen before the frame that brought it: one more look.
                "once_more": heard and message is None and "again" not in request.GET,
                "light_url": request.get_full_path(),
            }
        )


def _telling(messages: Sequence[ShownFrame]) -> ShownFrame | None:
    """Of what a device sent since, the message that tells most: one that brought something new,
    before one that was understood, before any other."""
    understood = [each for each in messages if each.readings]
    new = [each for each in understood if any(one.state == "stored" for one in each.readings)]
    return next(iter(new or understood or messages), None)


def _only_again(message: ShownFrame | None, health: DeviceHealth | None) -> bool:
    if message is not None and message.readings:
        return all(each.state == "duplicate" for each in message.readings)
    return health is not None and health.duplicates > 0 and not health.accepted


def _moment(text: str) -> Any:
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
