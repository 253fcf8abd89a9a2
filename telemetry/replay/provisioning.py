"""Who speaks for a recording: its vehicle and its device, made where they are missing."""

from __future__ import annotations

from dataclasses import dataclass

from fleet import services
from fleet.models import Device, Fleet, Vehicle
from telemetry.replay.recording import Recording
from tenants.actors import Actor


@dataclass(frozen=True, slots=True)
class Speaker:
    """A device that may speak for a recording's vehicle, with its fresh credential."""

    vehicle_id: int
    device_id: int
    token: str


def fleet_called(actor: Actor, reference: str) -> Fleet:
    """The fleet that recorded vehicles join."""
    found = Fleet.objects.for_tenant(actor.tenant).filter(reference=reference).first()
    return found or services.create_fleet(actor=actor, reference=reference, name="Recorded drives")


def speaker_for(actor: Actor, recording: Recording, fleet: Fleet) -> Speaker:
    """The vehicle and the device called as the file is; the device's credential is new.

    Raises DomainError where they are archived, or where another vehicle has the device.
    """
    vehicle = _vehicle(actor, recording, fleet)
    devices = Device.objects.for_tenant(actor.tenant)
    device = devices.filter(reference=recording.stem).first()
    if device is None:
        device, token = services.provision_device(
            actor=actor,
            reference=recording.stem,
            name=f"Recorder of {vehicle.name}",
            vehicle=vehicle,
        )
    else:
        if device.vehicle_id != vehicle.pk:
            device = services.update_device(actor=actor, device=device, vehicle=vehicle)
        token = services.rotate_credential(actor=actor, device=device)
    return Speaker(vehicle_id=vehicle.pk, device_id=device.pk, token=token)


def _vehicle(actor: Actor, recording: Recording, fleet: Fleet) -> Vehicle:
    vehicles = Vehicle.objects.for_tenant(actor.tenant)
    found = vehicles.filter(reference=recording.stem).first()
    if found is not None:
        return found
    template = recording.mapping.vehicle
    return services.create_vehicle(
        actor=actor,
        reference=recording.stem,
        name=template.name.replace("{stem}", recording.stem)[:120],
        fleet=fleet,
        kind=template.kind,
        battery_capacity_kwh=template.battery_capacity_kwh,
    )
