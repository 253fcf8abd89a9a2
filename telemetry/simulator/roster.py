"""Which vehicles and meters of the demonstration tenant are simulated, and by what right.

A device in the field keeps its secret in its own memory; the simulated ones keep theirs in
one file, readable by its owner only. Where the file does not know a device's live
credential (another machine, a wiped database) the credential is rotated.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from fleet import services as fleet_services
from fleet.models import Device, DeviceCredential, Meter, MeterMapping, Vehicle
from telemetry.models import VehicleLatest
from telemetry.simulator.fleet import LastSeen
from telemetry.simulator.past import Setting, Subject
from tenants import services as tenant_services
from tenants.actors import Actor
from tenants.models import ApiToken, Organisation, Scope
from tenants.secrets import digest_of
from tenants.selectors import token_from_secret

DEVICE_PREFIX = "TK-"
"""References of the devices that `create_demo` makes: the simulator speaks for no others."""
TOKEN_NAME = "Demonstration"  # noqa: S105
TOKEN_SCOPES = (
    Scope.TELEMETRY_READ,
    Scope.TELEMETRY_WRITE,
    Scope.FLEET_READ,
    Scope.FLEET_WRITE,
)
SEED = 1
"""Of the demonstration's past, of which there is one, and of its present unless another is
asked for."""
WITH_A_PAST = 100
"""Vehicles, at most: more would keep a small machine busy for long."""
MADE_WITHIN = timedelta(minutes=10)
"""After its organisation: what is added later has no past."""
SECRETS_FILE = settings.DEMO_SECRETS_DIR / "simulator.json"


@dataclass(frozen=True, slots=True)
class RosteredVehicle:
    """One simulated vehicle as the platform knows it."""

    vehicle_id: int
    kind: str
    capacity_kwh: float | None
    fleet_id: int
    reference: str
    token: str
    last: LastSeen | None
    past: Subject | None


@dataclass(frozen=True, slots=True)
class RosteredMeter:
    """A meter, and the vehicles (by place in the roster) that charge behind it."""

    meter_id: int
    reference: str
    behind: tuple[int, ...]
    has_a_past: bool


class Secrets:
    """The file that stands for the devices' own memories."""

    def __init__(self, path: Path = SECRETS_FILE) -> None:
        self._path = path
        self.devices: dict[str, str] = {}
        self.api_token = ""
        if path.exists():
            stored = json.loads(path.read_text())
            self.devices, self.api_token = stored["devices"], stored["api_token"]

    def save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        self._path.write_text(json.dumps({"devices": self.devices, "api_token": self.api_token}))


def vehicles(actor: Actor, count: int | None, secrets: Secrets) -> list[RosteredVehicle]:
    """The first `count` simulated vehicles, in the order of their devices; None: all."""
    devices = list(
        Device.objects.for_tenant(actor.tenant)
        .filter(
            reference__startswith=DEVICE_PREFIX,
            archived_at=None,
            vehicle__isnull=False,
            vehicle__archived_at=None,
        )
        .select_related("vehicle")
        .order_by("reference")[:count]
    )
    _renew_unknown_credentials(actor, devices, secrets)
    pasts = {device.vehicle_id: subject_of(actor.tenant, device.vehicle) for device in devices}
    latest = _last_seen(pasts, actor.tenant)
    return [
        RosteredVehicle(
            vehicle_id=vehicle.pk,
            kind=vehicle.kind,
            capacity_kwh=(
                None
                if vehicle.battery_capacity_kwh is None
                else float(vehicle.battery_capacity_kwh)
            ),
            fleet_id=vehicle.fleet_id,
            reference=vehicle.reference,
            token=secrets.devices[device.reference],
            last=latest.get(vehicle.pk),
            past=pasts[vehicle.pk],
        )
        for device in devices
        if (vehicle := device.vehicle) is not None
    ]


def setting_of(tenant: Organisation) -> Setting:
    """The past of the demonstration ends when it was created."""
    return Setting(tenant.created_at.timestamp(), ZoneInfo(tenant.time_zone), SEED)


def subject_of(tenant: Organisation, vehicle: Vehicle | None) -> Subject | None:
    """What to make its past of, by the number in its reference; None: it has none."""
    if vehicle is None or not is_of_the_beginning(tenant, vehicle):
        return None
    found = re.fullmatch(r"V(\d{5})", vehicle.reference)
    number = int(found[1]) - 1 if found else -1
    if not 0 <= number < WITH_A_PAST:
        return None
    capacity = vehicle.battery_capacity_kwh
    return Subject(number, vehicle.kind, None if capacity is None else float(capacity))


def is_of_the_beginning(tenant: Organisation, thing: Vehicle | Meter) -> bool:
    """Whether it was made together with its organisation."""
    return thing.created_at - tenant.created_at < MADE_WITHIN


def meters(actor: Actor, count: int | None, roster: list[RosteredVehicle]) -> list[RosteredMeter]:
    """The first `count` meters. A mapped meter counts for its vehicle; the others of a fleet
    share the fleet's vehicles that have none.
    """
    now = timezone.now()
    place = {vehicle.vehicle_id: index for index, vehicle in enumerate(roster)}
    chosen = list(
        Meter.objects.for_tenant(actor.tenant)
        .filter(archived_at=None)
        .order_by("reference")[:count]
    )
    mapped: dict[int, int] = dict(
        MeterMapping.objects.for_tenant(actor.tenant)
        .filter(meter__in=chosen, valid__contains=now)
        .values_list("meter_id", "vehicle_id")
    )
    unmapped: dict[int, list[int]] = defaultdict(list)
    for meter in chosen:
        if meter.pk not in mapped:
            unmapped[meter.fleet_id].append(meter.pk)
    behind: dict[int, list[int]] = defaultdict(list)
    for meter_id, vehicle_id in mapped.items():
        if vehicle_id in place:
            behind[meter_id].append(place[vehicle_id])
    with_own_meter = set(mapped.values())
    for index, vehicle in enumerate(roster):
        fleet_meters = unmapped[vehicle.fleet_id]
        if fleet_meters and vehicle.vehicle_id not in with_own_meter:
            behind[fleet_meters[index % len(fleet_meters)]].append(index)
    return [
        RosteredMeter(
            meter_id=meter.pk,
            reference=meter.reference,
            behind=tuple(behind[meter.pk]),
            has_a_past=is_of_the_beginning(actor.tenant, meter)
            and any(roster[index].past is not None for index in behind[meter.pk]),
        )
        for meter in chosen
    ]


def api_token(actor: Actor, secrets: Secrets) -> str:
    """The demonstration's token: the one in the file while it is good, else a new one.

    The simulator posts meter readings by it, and a person may try the API with it.
    """
    if secrets.api_token:
        known = token_from_secret(secrets.api_token, now=timezone.now())
        if known is not None and known.tenant_id == actor.tenant.pk:
            return secrets.api_token
    old = ApiToken.objects.for_tenant(actor.tenant).filter(name=TOKEN_NAME, revoked_at=None)
    for token in old:
        tenant_services.revoke_token(actor=actor, token=token)
    _, plain = tenant_services.issue_token(actor=actor, name=TOKEN_NAME, scopes=TOKEN_SCOPES)
    secrets.api_token = plain
    secrets.save()
    return plain


def _renew_unknown_credentials(actor: Actor, devices: list[Device], secrets: Secrets) -> None:
    live: dict[int, str] = dict(
        DeviceCredential.objects.for_tenant(actor.tenant)
        .filter(device__in=devices, revoked_at=None)
        .values_list("device_id", "digest")
    )
    unknown = [
        device
        for device in devices
        if digest_of(secrets.devices.get(device.reference, "")) != live.get(device.pk)
    ]
    for device in unknown:
        secrets.devices[device.reference] = fleet_services.rotate_credential(
            actor=actor, device=device
        )
    if unknown:
        secrets.save()


def _last_seen(
    pasts: Mapping[int | None, Subject | None], tenant: Organisation
) -> dict[int, LastSeen]:
    """Where live readings left off; what is only known from the past is none."""
    rows = VehicleLatest.objects.filter(vehicle_id__in=list(pasts))
    return {
        row.vehicle_id: LastSeen(
            lat=row.lat,
            lon=row.lon,
            soc_pct=row.soc_pct,
            odometer_km=row.odometer_km,
            battery_temp_c=row.battery_temp_c,
            charging=row.charging,
        )
        for row in rows.iterator()
        if pasts[row.vehicle_id] is None or row.time > tenant.created_at
    }
