"""The four kinds of things that have pages alike, and the services that change them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from fleet import services
from fleet.forms import FleetForm, MeterForm, ReferencedForm, VehicleEditForm, VehicleForm
from fleet.models import Device, Fleet, Meter, Referenced, Vehicle


@dataclass(frozen=True)
class Kind:
    """`plural` is the first part of the addresses and the name of the list's URL."""

    noun: str
    plural: str
    title: str | Promise
    new_title: str | Promise
    model: type[Referenced]
    joined: tuple[str, ...]
    archive: Callable[..., Referenced]
    restore: Callable[..., Referenced]
    form: type[ReferencedForm] | None = None
    edit_form: type[ReferencedForm] | None = None
    create: Callable[..., Referenced] | None = None
    update: Callable[..., Referenced] | None = None

    @property
    def list_url(self) -> str:
        return reverse(self.plural)

    def url(self, action: str, row: Referenced) -> str:
        return reverse(f"{self.noun}-{action}", args=[row.reference])


def _with_vin(service: Callable[..., Vehicle]) -> Callable[..., Vehicle]:
    """The form says `vin` where the service says `vin_number`."""

    def call(*, vin: str | None = None, **fields: Any) -> Vehicle:
        return service(vin_number=vin, **fields)

    return call


FLEETS = Kind(
    "fleet",
    "fleets",
    _("Fleets"),
    _("New fleet"),
    Fleet,
    (),
    lambda *, actor, row: services.archive_fleet(actor=actor, fleet=row),
    lambda *, actor, row: services.restore_fleet(actor=actor, fleet=row),
    FleetForm,
    FleetForm,
    services.create_fleet,
    lambda *, actor, row, **fields: services.update_fleet(actor=actor, fleet=row, **fields),
)
VEHICLES = Kind(
    "vehicle",
    "vehicles",
    _("Vehicles"),
    _("New vehicle"),
    Vehicle,
    ("fleet",),
    lambda *, actor, row: services.archive_vehicle(actor=actor, vehicle=row),
    lambda *, actor, row: services.restore_vehicle(actor=actor, vehicle=row),
    VehicleForm,
    VehicleEditForm,
    _with_vin(services.create_vehicle),
    lambda *, actor, row, **fields: _with_vin(services.update_vehicle)(
        actor=actor, vehicle=row, **fields
    ),
)
METERS = Kind(
    "meter",
    "meters",
    _("Meters"),
    _("New meter"),
    Meter,
    ("fleet",),
    lambda *, actor, row: services.archive_meter(actor=actor, meter=row),
    lambda *, actor, row: services.restore_meter(actor=actor, meter=row),
    MeterForm,
    MeterForm,
    services.create_meter,
    lambda *, actor, row, **fields: services.update_meter(actor=actor, meter=row, **fields),
)
DEVICES = Kind(
    "device",
    "devices",
    _("Devices"),
    _("New device"),
    Device,
    ("vehicle", "meter"),
    lambda *, actor, row: services.archive_device(actor=actor, device=row),
    lambda *, actor, row: services.restore_device(actor=actor, device=row),
)
KINDS: dict[str, Kind] = {each.plural: each for each in (FLEETS, VEHICLES, METERS, DEVICES)}
