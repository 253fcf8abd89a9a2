"""A small organisation with things, readings and refusals, and people in every role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from fleet import services
from fleet.models import Device, Fleet, Meter, Vehicle
from telemetry.models import DeviceHealth, MeterLatest, QuarantinedFrame, VehicleLatest
from tenants.models import Organisation, Role, User
from tests.people import Browser, a_member, acting, an_organisation


@dataclass
class Company:
    tenant: Organisation
    people: dict[str, User]
    fleet: Fleet
    vehicle: Vehicle
    meter: Meter
    device: Device
    secret: str
    browsers: dict[str, Browser] = field(default_factory=dict)

    def browser(self, role: str = Role.MANAGER) -> Browser:
        """Logged in as somebody with this role."""
        if role not in self.browsers:
            self.browsers[role] = Browser()
            self.browsers[role].force_login(self.people[role])
        return self.browsers[role]


@pytest.fixture
def company(db: Any) -> Company:
    return a_company("Atlas")


@pytest.fixture
def stranger(db: Any) -> Company:
    return a_company("Zephyr")


def a_company(name: str) -> Company:
    tenant = an_organisation(name)
    actor = acting(tenant)
    fleet = services.create_fleet(actor=actor, reference="F1", name=f"{name} fleet")
    vehicle = services.create_vehicle(
        actor=actor, reference="V1", name=f"{name} van", fleet=fleet, plate="AB-1"
    )
    meter = services.create_meter(actor=actor, reference="M1", name=f"{name} meter", fleet=fleet)
    device, secret = services.provision_device(
        actor=actor, reference="D1", name=f"{name} tracker", vehicle=vehicle
    )
    people = {role: a_member(tenant, role) for role in Role.values}
    return Company(tenant, people, fleet, vehicle, meter, device, secret)


@pytest.fixture
def heard() -> Callable[..., datetime]:
    return hear


def hear(company: Company, *, ago: timedelta = timedelta(seconds=5), **values: Any) -> datetime:
    """The vehicle's device has sent a reading so long ago."""
    moment = timezone.now() - ago
    common = {
        "tenant_id": company.tenant.pk,
        "device_id": company.device.pk,
        "time": moment,
        "received_at": moment,
        "reading_id": 1,
        "protocol": "telemetry.v1",
    }
    vehicle_values = {"soc_pct": 82.0, "speed_kmh": 0.0, **values}
    VehicleLatest.objects.create(vehicle_id=company.vehicle.pk, **common, **vehicle_values)
    MeterLatest.objects.create(meter_id=company.meter.pk, power_kw=11.0, **common)
    DeviceHealth.objects.create(
        device_id=company.device.pk,
        tenant_id=company.tenant.pk,
        last_seen=moment,
        last_time=moment,
        lag_ms=180,
        lag_max_ms=4000,
        skew_ms=120,
        accepted=1200,
    )
    return moment


def refuse(company: Company, *, log_id: str = "1-1", code: str = "out_of_range") -> None:
    """A frame of the device was refused."""
    raw = b'{"seq":7,"lat":91.2}'
    QuarantinedFrame.objects.create(
        log_id=log_id,
        tenant_id=company.tenant.pk,
        device_id=company.device.pk,
        adapter="telemetry.v1.json",
        adapter_version=1,
        code=code,
        field="lat",
        detail="91.2 is not in [-90, 90]",
        raw=raw,
        raw_size=len(raw),
        received_at=timezone.now(),
    )
