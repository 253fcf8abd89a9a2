"""Meters and their dated mapping to vehicles."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from fleet import revocation
from fleet.models import Fleet, Meter, MeterMapping, Vehicle
from fleet.selectors import devices_of
from fleet.services import rows
from tenants.actors import Actor
from tenants.audit import record
from tenants.conflicts import refusing
from tenants.errors import DomainError

OVERLAP = DomainError(
    "mapping_overlaps", 409, "The meter is mapped to a vehicle during part of that time already."
)
OVERLAP_CONSTRAINT = {"meter_mapping_one_vehicle_at_a_time": OVERLAP}


@transaction.atomic
def create_meter(*, actor: Actor, reference: str, name: str, fleet: Fleet, **fields: Any) -> Meter:
    """A new meter; `fields`: silent_after_s, tags."""
    fleet = rows.open_fleet(fleet, actor=actor)
    values = {"reference": reference, "name": name, "fleet": fleet, **fields}
    return rows.create(Meter, actor=actor, fields=values)


@transaction.atomic
def update_meter(*, actor: Actor, meter: Meter, **fields: Any) -> Meter:
    """Change any field, or move the meter to another fleet."""
    meter = rows.lock_in_service(meter, actor=actor)
    if "fleet" in fields:
        fields["fleet"] = rows.open_fleet(fields["fleet"], actor=actor)
    rows.update(meter, actor=actor, fields=fields)
    return meter


@transaction.atomic
def archive_meter(*, actor: Actor, meter: Meter) -> Meter:
    """Take a meter out of service. Its devices are shut out until it is restored."""
    meter = rows.lock(meter, actor=actor)
    if rows.archive(meter, actor=actor):
        for device_id in devices_of(meter_id=meter.pk):
            transaction.on_commit(partial(revocation.announce, device_id))
    return meter


@transaction.atomic
def restore_meter(*, actor: Actor, meter: Meter) -> Meter:
    """Put an archived meter back into its fleet, which must be in service."""
    meter = rows.lock(meter, actor=actor)
    rows.open_fleet(meter.fleet, actor=actor)
    rows.restore(meter, actor=actor)
    return meter


@transaction.atomic
def map_meter(
    *,
    actor: Actor,
    meter: Meter,
    vehicle: Vehicle,
    valid_from: datetime,
    valid_to: datetime | None = None,
) -> MeterMapping:
    """From `valid_from` until before `valid_to` (None: until further notice) what the meter
    counts flows into the vehicle. Periods of one meter do not overlap.
    """
    rows.same_tenant(actor, meter, vehicle)
    valid = _period(valid_from, valid_to)
    with refusing(OVERLAP_CONSTRAINT):
        mapping = MeterMapping.objects.create(
            tenant=actor.tenant, meter=meter, vehicle=vehicle, valid=valid
        )
    record(
        actor,
        "meter.mapped",
        rows.label(meter),
        changes={
            "vehicle": (None, vehicle),
            "from": (None, valid_from),
            "to": (None, valid_to),
        },
    )
    return mapping


@transaction.atomic
def end_mapping(*, actor: Actor, mapping: MeterMapping, valid_to: datetime | None) -> MeterMapping:
    """Set, move or lift the end of a mapping."""
    mapping = _locked(mapping, actor=actor)
    before = mapping.valid.upper
    mapping.valid = _period(mapping.valid.lower, valid_to)
    with refusing(OVERLAP_CONSTRAINT):
        mapping.save(update_fields=["valid"])
    record(
        actor, "meter.mapping_ended", rows.label(mapping.meter), changes={"to": (before, valid_to)}
    )
    return mapping


@transaction.atomic
def unmap_meter(*, actor: Actor, mapping: MeterMapping) -> None:
    """Remove a mapping that was wrong from the beginning."""
    mapping = _locked(mapping, actor=actor)
    record(
        actor,
        "meter.unmapped",
        rows.label(mapping.meter),
        changes={
            "vehicle": (mapping.vehicle, None),
            "from": (mapping.valid.lower, None),
            "to": (mapping.valid.upper, None),
        },
    )
    mapping.delete()


def _locked(mapping: MeterMapping, *, actor: Actor) -> MeterMapping:
    current = (
        MeterMapping.objects.for_tenant(actor.tenant)
        .select_for_update(of=("self",))
        .select_related("meter", "vehicle")
        .filter(pk=mapping.pk)
        .first()
    )
    if current is None:
        raise DomainError("not_found", 404, "There is nothing here, or it is not yours.")
    return current


def _period(valid_from: datetime | None, valid_to: datetime | None) -> DateTimeTZRange:
    if valid_from is not None and valid_to is not None and valid_to <= valid_from:
        raise DomainError("period_empty", 422, "A mapping ends after it begins.", field="to")
    return DateTimeTZRange(valid_from, valid_to, "[)")
