"""The demonstration tenant's fleets, vehicles, meters and devices, created in bulk."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import timezone

from fleet import services
from fleet.models import Device, DeviceCredential, Fleet, Meter, MeterMapping, Vehicle
from telemetry.demo.vins import vin
from telemetry.simulator.fleet import depot_of
from telemetry.simulator.roster import DEVICE_PREFIX, Secrets
from tenants.actors import Actor
from tenants.audit import record
from tenants.secrets import DEVICE_CREDENTIAL, new_secret

BATCH = 1_000
WITH_VIN = 12
"""So many of the first vehicles have a VIN: each costs an encryption and an audit entry."""
MAPPED_SHARE = 0.7
"""Of the meters: each of these counts for one vehicle; the others serve whoever comes."""


@dataclass(frozen=True, slots=True)
class Make:
    fleet: str
    kind: str
    noun: str
    capacity_kwh: str


FLEETS = {"city": "City", "regional": "Regional", "buses": "Buses"}
MAKES = (
    Make("city", "van", "Van", "68"),
    Make("city", "van", "Van", "68"),
    Make("city", "van", "Van", "52"),
    Make("regional", "truck", "Truck", "240"),
    Make("city", "van", "Van", "68"),
    Make("city", "car", "Car", "52"),
    Make("regional", "van", "Van", "79"),
    Make("city", "van", "Van", "68"),
    Make("buses", "bus", "Bus", "350"),
    Make("regional", "truck", "Truck", "300"),
)


@transaction.atomic
def ensure_things(actor: Actor, *, vehicles: int, meters: int) -> None:
    """Add what is missing up to these numbers; nothing that is there is changed."""
    fleets = {reference: _fleet(actor, reference) for reference in FLEETS}
    secrets = Secrets()
    added = _add_vehicles(actor, fleets, vehicles)
    _add_devices(actor, added, secrets)
    added_meters = _add_meters(actor, fleets, meters)
    _map_meters(actor, added_meters)
    for vehicle in added:
        number = _number(vehicle.reference)
        if number <= WITH_VIN:
            services.update_vehicle(actor=actor, vehicle=vehicle, vin_number=vin(number))
    if added or added_meters:
        record(
            actor,
            "demo.things_added",
            changes={"vehicles": (None, len(added)), "meters": (None, len(added_meters))},
        )
        transaction.on_commit(secrets.save)


def _fleet(actor: Actor, reference: str) -> Fleet:
    found = Fleet.objects.for_tenant(actor.tenant).filter(reference=reference).first()
    return found or services.create_fleet(actor=actor, reference=reference, name=FLEETS[reference])


def _add_vehicles(actor: Actor, fleets: dict[str, Fleet], wanted: int) -> list[Vehicle]:
    queryset = Vehicle.objects.for_tenant(actor.tenant)
    there = set(queryset.filter(reference__startswith="V").values_list("reference", flat=True))
    counters = dict.fromkeys((make.noun for make in MAKES), 0)
    chance = random.Random(7)  # noqa: S311
    missing = []
    for number in range(1, wanted + 1):
        make = MAKES[(number - 1) % len(MAKES)]
        counters[make.noun] += 1
        plate = f"{chance.randint(10_000, 99_999)}-A-{chance.randint(1, 40)}"
        reference = f"V{number:05d}"
        if reference not in there:
            missing.append(
                Vehicle(
                    tenant=actor.tenant,
                    reference=reference,
                    name=f"{make.noun} {counters[make.noun]:02d}",
                    fleet=fleets[make.fleet],
                    kind=make.kind,
                    plate=plate,
                    battery_capacity_kwh=Decimal(make.capacity_kwh),
                )
            )
    return queryset.bulk_create(missing, batch_size=BATCH)


def _add_devices(actor: Actor, vehicles: list[Vehicle], secrets: Secrets) -> None:
    devices = Device.objects.for_tenant(actor.tenant).bulk_create(
        [
            Device(
                tenant=actor.tenant,
                reference=f"{DEVICE_PREFIX}{_number(vehicle.reference):05d}",
                name=f"Tracker of {vehicle.name}",
                vehicle=vehicle,
            )
            for vehicle in vehicles
        ],
        batch_size=BATCH,
    )
    credentials = []
    for device in devices:
        secret = new_secret(DEVICE_CREDENTIAL)
        secrets.devices[device.reference] = secret.plain
        credentials.append(
            DeviceCredential(
                tenant=actor.tenant, device=device, prefix=secret.prefix, digest=secret.digest
            )
        )
    DeviceCredential.objects.for_tenant(actor.tenant).bulk_create(credentials, batch_size=BATCH)


def _add_meters(actor: Actor, fleets: dict[str, Fleet], wanted: int) -> list[Meter]:
    queryset = Meter.objects.for_tenant(actor.tenant)
    there = set(queryset.filter(reference__startswith="M").values_list("reference", flat=True))
    missing = []
    for number in range(1, wanted + 1):
        reference = f"M{number:05d}"
        if reference not in there:
            # The fleet of the vehicle of the same number, which it may be mapped to.
            make = MAKES[(number - 1) % len(MAKES)]
            missing.append(
                Meter(
                    tenant=actor.tenant,
                    reference=reference,
                    name=f"Depot {depot_of(number - 1).name} · bay {number}",
                    fleet=fleets[make.fleet],
                )
            )
    return queryset.bulk_create(missing, batch_size=BATCH)


def _map_meters(actor: Actor, meters: list[Meter]) -> None:
    since = DateTimeTZRange(timezone.now() - timedelta(days=30), None, "[)")
    own = [meter for meter in meters if _number(meter.reference) % 10 < MAPPED_SHARE * 10]
    vehicles = {
        vehicle.reference: vehicle
        for vehicle in Vehicle.objects.for_tenant(actor.tenant).filter(
            reference__in=[f"V{_number(meter.reference):05d}" for meter in own]
        )
    }
    MeterMapping.objects.for_tenant(actor.tenant).bulk_create(
        [
            MeterMapping(tenant=actor.tenant, meter=meter, vehicle=vehicle, valid=since)
            for meter in own
            if (vehicle := vehicles.get(f"V{_number(meter.reference):05d}")) is not None
        ],
        batch_size=BATCH,
    )


def _number(reference: str) -> int:
    return int(reference.lstrip("VM"))
