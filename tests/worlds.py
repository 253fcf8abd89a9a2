"""Two organisations for the tests of isolation: one with everything, one that must see none.

Every name, reference and secret of the victim carries `MARK`, so that a leak shows in any
answer, whatever its shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import models
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from alerts.models import (
    Alert,
    AlertTransition,
    Channel,
    Delivery,
    DeliveryAttempt,
    DryRun,
    Rule,
    RuleVersion,
    SilenceWatch,
)
from fleet.geofences import Geofence
from fleet.models import Device, DeviceCredential, Fleet, Meter, MeterMapping, Vehicle
from telemetry.models import (
    MeterLatest,
    MeterReadingRow,
    QuarantinedFrame,
    SavedView,
    VehicleLatest,
    VehicleReadingRow,
)
from tenants.models import (
    ApiToken,
    AuditEntry,
    Invitation,
    Membership,
    Organisation,
    Role,
    Scope,
    User,
)
from tenants.secrets import API_TOKEN, DEVICE_CREDENTIAL, Secret, new_secret

MARK = "Zwicky7"
PASSWORD = "correct horse battery staple"


@dataclass
class World:
    """One organisation with one of each thing."""

    organisation: Organisation
    owner: User
    token: str
    device_secret: str
    rows: dict[type[models.Model], models.Model] = field(default_factory=dict)


def build_world(mark: str) -> World:
    """An organisation whose every visible word contains `mark`."""
    organisation = Organisation.objects.create(name=f"{mark} Org", slug=f"{mark.lower()}-org")
    owner = User.objects.create(
        email=f"owner@{mark.lower()}.example",
        first_name=mark,
        last_name=mark,
        password=make_password(PASSWORD),
    )
    rows: dict[type[models.Model], models.Model] = {Organisation: organisation, User: owner}

    def add(model: type[models.Model], **fields: Any) -> Any:
        rows[model] = model._base_manager.create(tenant=organisation, **fields)
        return rows[model]

    add(Membership, user=owner, role=Role.OWNER)
    secret = new_secret(API_TOKEN)
    add(
        ApiToken,
        name=f"{mark} token",
        prefix=secret.prefix,
        digest=secret.digest,
        scopes=list(Scope.values),
        created_by=owner,
    )
    soon = datetime.now(UTC) + timedelta(days=3)
    add(
        Invitation,
        email=f"guest@{mark.lower()}.example",
        role=Role.VIEWER,
        sent_at=datetime.now(UTC),
        expires_at=soon,
    )
    add(SavedView, owner=owner, name=f"{mark} view", query=f"find={mark}", shared=True)
    fleet = add(Fleet, reference=f"{mark}-F1", name=f"{mark} fleet")
    vehicle = add(
        Vehicle,
        reference=f"{mark}-V1",
        name=f"{mark} van",
        fleet=fleet,
        plate=f"{mark}-PL",
        vin_pseudonym=mark.encode().hex(),
    )
    meter = add(Meter, reference=f"{mark}-M1", name=f"{mark} meter", fleet=fleet)
    now = datetime.now(UTC)
    add(
        MeterMapping,
        meter=meter,
        vehicle=vehicle,
        valid=DateTimeTZRange(now - timedelta(days=30), None),
    )
    device = add(Device, reference=f"{mark}-D1", name=f"{mark} device", vehicle=vehicle)
    device_secret: Secret = new_secret(DEVICE_CREDENTIAL)
    add(
        DeviceCredential,
        device=device,
        prefix=device_secret.prefix,
        digest=device_secret.digest,
    )
    AuditEntry.objects.create(
        tenant=organisation, actor=owner, actor_label=f"{mark} owner", action="vehicle.created"
    )
    store_telemetry(rows, mark, organisation, vehicle, meter, device, now)
    raise_alert(add, mark, vehicle, now)
    return World(organisation, owner, secret.plain, device_secret.plain, rows)


def raise_alert(add: Callable[..., Any], mark: str, vehicle: Vehicle, now: datetime) -> None:
    """A rule, the alert it raised, and who was told."""
    circle = {"type": "circle", "centre": [-6.8, 33.9], "radius_m": 100}
    add(Geofence, reference=f"{mark}-G1", name=f"{mark} yard", shape=circle)
    rule = add(Rule, name=f"{mark} rule")
    definition = {"kind": "silence", "params": {"after_s": 300}}
    version = add(
        RuleVersion,
        rule=rule,
        number=1,
        kind="silence",
        definition=definition,
        created_by=f"{mark} owner",
    )
    rule.current = version
    rule.save()
    add(
        SilenceWatch,
        rule=rule,
        kind="v",
        subject_id=vehicle.pk,
        heard_at=now,
        due_at=now + timedelta(days=1),
    )
    add(DryRun, definition=definition, since=now, until=now, found=[{"subject": mark}])
    alert = add(
        Alert,
        rule=rule,
        rule_version=version,
        kind="v",
        subject_id=vehicle.pk,
        subject_reference=vehicle.reference,
        subject_label=f"{mark} van",
        fleet=vehicle.fleet,
        title=f"{mark} title",
        severity="high",
        started_at=now,
        opened_at=now,
    )
    add(AlertTransition, alert=alert, change="opened", at=now, note=mark)
    channel = add(Channel, name=f"{mark} mail", kind="email", address=f"duty@{mark}.example")
    delivery = add(
        Delivery,
        channel=channel,
        alert=alert,
        event="alert.opened",
        status="sent",
        payload={"data": mark},
        due_at=now,
    )
    add(DeliveryAttempt, delivery=delivery, at=now, duration_ms=1, succeeded=True, response=mark)


def store_telemetry(
    rows: dict[type[models.Model], models.Model],
    mark: str,
    organisation: Organisation,
    vehicle: Vehicle,
    meter: Meter,
    device: Device,
    now: datetime,
) -> None:
    common = {
        "tenant_id": organisation.pk,
        "device_id": device.pk,
        "time": now - timedelta(minutes=1),
        "received_at": now - timedelta(minutes=1),
        "reading_id": 7,
        "protocol": "telemetry.v1",
    }
    for model, of in ((VehicleReadingRow, vehicle), (VehicleLatest, vehicle)):
        rows[model] = model._base_manager.create(
            **common,
            vehicle_id=of.pk,
            lat=33.9,
            lon=-6.8,
            soc_pct=50.0,
            driver=f"{mark} driver",
        )
    for meter_model in (MeterReadingRow, MeterLatest):
        rows[meter_model] = meter_model._base_manager.create(
            **common, meter_id=meter.pk, voltage_v=230.0, attributes={"site": mark}
        )
    rows[QuarantinedFrame] = QuarantinedFrame.objects.create(
        log_id=f"{mark}-1",
        tenant_id=organisation.pk,
        device_id=device.pk,
        adapter="telemetry.v1",
        adapter_version=1,
        code="malformed",
        detail=mark,
        raw=mark.encode(),
        raw_size=len(mark),
        received_at=now,
    )
