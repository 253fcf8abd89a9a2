"""Devices and their credentials."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from fleet import revocation
from fleet.models import Device, DeviceCredential, Meter, Vehicle
from fleet.services import rows
from tenants import secrets
from tenants.actors import Actor
from tenants.audit import record
from tenants.errors import DomainError


@transaction.atomic
def provision_device(
    *,
    actor: Actor,
    reference: str,
    name: str,
    vehicle: Vehicle | None = None,
    meter: Meter | None = None,
    **fields: Any,
) -> tuple[Device, str]:
    """A new device and its secret, which nobody can show again; `fields`: protocol."""
    _check_subject(actor, vehicle, meter)
    values = {"reference": reference, "name": name, "vehicle": vehicle, "meter": meter, **fields}
    device = rows.create(Device, actor=actor, fields=values)
    return device, _new_credential(device)


@transaction.atomic
def update_device(*, actor: Actor, device: Device, **fields: Any) -> Device:
    """Change any field. Moved to another vehicle or meter, it has to connect anew."""
    device = rows.lock_in_service(device, actor=actor)
    _check_subject(actor, fields.get("vehicle", device.vehicle), fields.get("meter", device.meter))
    changes = rows.update(device, actor=actor, fields=fields)
    if {"vehicle", "meter", "protocol"} & changes.keys():
        # An open socket goes on speaking for what the device spoke for when it connected.
        reconnect = partial(revocation.announce, device.pk, close_code=revocation.RECONNECT)
        transaction.on_commit(reconnect)
    return device


@transaction.atomic
def archive_device(*, actor: Actor, device: Device) -> Device:
    """Take a device out of service and revoke its credential."""
    device = rows.lock(device, actor=actor)
    if rows.archive(device, actor=actor):
        _revoke(device, actor=actor)
    return device


@transaction.atomic
def restore_device(*, actor: Actor, device: Device) -> Device:
    """Put an archived device back into service; it needs a new credential to connect."""
    device = rows.lock(device, actor=actor)
    rows.restore(device, actor=actor)
    return device


@transaction.atomic
def rotate_credential(*, actor: Actor, device: Device) -> str:
    """A new secret; the old one, and whoever is connected by it, is shut out at once."""
    device = rows.lock_in_service(device, actor=actor)
    _end_live_credential(device)
    plain = _new_credential(device)
    record(actor, "device.credential_rotated", rows.label(device))
    transaction.on_commit(partial(revocation.announce, device.pk))
    return plain


@transaction.atomic
def revoke_credential(*, actor: Actor, device: Device) -> None:
    """Shut the device out at once; no error where it is."""
    _revoke(rows.lock(device, actor=actor), actor=actor)


def _revoke(device: Device, *, actor: Actor) -> None:
    if _end_live_credential(device):
        record(actor, "device.credential_revoked", rows.label(device))
        transaction.on_commit(partial(revocation.announce, device.pk))


def _end_live_credential(device: Device) -> bool:
    live = DeviceCredential.objects.for_tenant(device.tenant_id).filter(
        device=device, revoked_at__isnull=True
    )
    return live.update(revoked_at=timezone.now()) > 0


def _new_credential(device: Device) -> str:
    secret = secrets.new_secret(secrets.DEVICE_CREDENTIAL)
    DeviceCredential.objects.create(
        tenant_id=device.tenant_id, device=device, prefix=secret.prefix, digest=secret.digest
    )
    return secret.plain


def _check_subject(actor: Actor, vehicle: Vehicle | None, meter: Meter | None) -> None:
    rows.same_tenant(actor, vehicle, meter)
    if vehicle is not None and meter is not None:
        raise DomainError(
            "two_subjects",
            422,
            "A device speaks for a vehicle or a meter, not both.",
            field="meter",
        )
