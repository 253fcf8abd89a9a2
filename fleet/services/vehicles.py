"""Vehicles and their VINs."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction

from fleet import revocation, vin
from fleet.models import Fleet, Vehicle
from fleet.selectors import devices_of
from fleet.services import rows
from tenants.actors import Actor
from tenants.audit import record
from tenants.errors import DomainError
from tenants.models import Scope

VIN_TAKEN = DomainError("vin_taken", 409, "Another vehicle has this VIN.", field="vin")
VIN_CONSTRAINT = {"vehicle_vin_once_per_tenant": VIN_TAKEN}


@transaction.atomic
def create_vehicle(
    *,
    actor: Actor,
    reference: str,
    name: str,
    fleet: Fleet,
    vin_number: str | None = None,
    **fields: Any,
) -> Vehicle:
    """A new vehicle; `fields`: kind, plate, battery_capacity_kwh, silent_after_s, tags."""
    fleet = rows.open_fleet(fleet, actor=actor)
    values = {"reference": reference, "name": name, "fleet": fleet, **fields}
    if vin_number:
        _keep_out_of(values, vin_number)
        values |= _sealed(vin_number, tenant_id=actor.tenant.pk)
    vehicle = rows.create(Vehicle, actor=actor, fields=values, also=VIN_CONSTRAINT)
    if vin_number:
        record(actor, "vehicle.vin_set", rows.label(vehicle))
    return vehicle


@transaction.atomic
def update_vehicle(
    *, actor: Actor, vehicle: Vehicle, vin_number: str | None = None, **fields: Any
) -> Vehicle:
    """Change any field, move to another fleet, set the VIN or (with `""`) forget it."""
    vehicle = rows.lock_in_service(vehicle, actor=actor)
    if "fleet" in fields:
        fields["fleet"] = rows.open_fleet(fields["fleet"], actor=actor)
    sealed: dict[str, Any] = {}
    if vin_number == "":
        sealed = {"vin_pseudonym": "", "vin_ciphertext": None}
    elif vin_number is not None:
        sealed = _sealed(vin_number, tenant_id=actor.tenant.pk)
        if sealed["vin_pseudonym"] == vehicle.vin_pseudonym:
            sealed = {}
    number = _number_of(vehicle) if vin_number is None else vin_number
    if number:
        _keep_out_of({**_texts_of(vehicle), **fields}, number)
    rows.update(vehicle, actor=actor, fields={**fields, **sealed}, also=VIN_CONSTRAINT)
    if sealed:
        forgotten = not sealed["vin_pseudonym"]
        action = "vehicle.vin_forgotten" if forgotten else "vehicle.vin_set"
        record(actor, action, rows.label(vehicle))
    return vehicle


@transaction.atomic
def archive_vehicle(*, actor: Actor, vehicle: Vehicle) -> Vehicle:
    """Take a vehicle out of service. Its devices are shut out until it is restored."""
    vehicle = rows.lock(vehicle, actor=actor)
    if rows.archive(vehicle, actor=actor):
        for device_id in devices_of(vehicle_id=vehicle.pk):
            transaction.on_commit(partial(revocation.announce, device_id))
    return vehicle


@transaction.atomic
def restore_vehicle(*, actor: Actor, vehicle: Vehicle) -> Vehicle:
    """Put an archived vehicle back into its fleet, which must be in service."""
    vehicle = rows.lock(vehicle, actor=actor)
    rows.open_fleet(vehicle.fleet, actor=actor)
    rows.restore(vehicle, actor=actor)
    return vehicle


@transaction.atomic
def find_by_vin(*, actor: Actor, vin_number: str) -> Vehicle | None:
    """The organisation's vehicle with this VIN."""
    wanted = vin.pseudonym(vin.normalise(vin_number), tenant_id=actor.tenant.pk)
    return (
        Vehicle.objects.for_tenant(actor.tenant)
        .select_related("fleet")
        .filter(vin_pseudonym=wanted)
        .first()
    )


@transaction.atomic
def reveal_vin(*, actor: Actor, vehicle: Vehicle, reason: str) -> str:
    """The VIN in clear, for who holds `vin:reveal` and says why; recorded before it is shown."""
    actor.require(Scope.VIN_REVEAL)
    if not reason.strip():
        raise DomainError("reason_missing", 422, "Say why.", field="reason")
    rows.same_tenant(actor, vehicle)
    if not vehicle.vin_pseudonym:
        raise DomainError("no_vin", 404, "This vehicle has no VIN on record.")
    number = _number_of(vehicle)
    _keep_out_of({"reason": reason}, number)
    record(actor, "vehicle.vin_revealed", rows.label(vehicle), reason=reason)
    return number


def _sealed(vin_number: str, *, tenant_id: int) -> dict[str, Any]:
    checked = vin.normalise(vin_number)
    return {
        "vin_pseudonym": vin.pseudonym(checked, tenant_id=tenant_id),
        "vin_ciphertext": vin.seal(checked, tenant_id=tenant_id),
    }


def _number_of(vehicle: Vehicle) -> str:
    if vehicle.vin_ciphertext is None:
        return ""
    return vin.unseal(vehicle.vin_ciphertext, tenant_id=vehicle.tenant_id)


def _texts_of(vehicle: Vehicle) -> dict[str, Any]:
    names = ("reference", "name", "plate", "tags")
    return {name: getattr(vehicle, name) for name in names}


def _keep_out_of(fields: dict[str, Any], vin_number: str) -> None:
    """People like to name vehicles by their VIN; then it would stand in clear after all."""
    number = vin.normalise(vin_number).number
    for name, value in fields.items():
        texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
        if any(number in "".join(text.split()).replace("-", "").upper() for text in texts):
            shown = "id" if name == "reference" else name
            raise DomainError(
                "vin_in_clear", 422, "The VIN may stand in no field but `vin`.", field=shown
            )
