"""Three drives of yesterday, so that there is something to look back at from the first minute.

They belong to the past of the simulated fleet (`telemetry.simulator.stories`): too fast, too
far for its battery, with a cell that overheats. The rest of that past is brought in later and
comes late; these are readings that came when they were taken, so that people are told what is
found in them. They go through the ingress log like any other.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet.models import Vehicle
from telemetry.records import VehicleReading
from telemetry.simulator import roster
from telemetry.simulator.past import Subject, told_of
from telemetry.simulator.stories import STORIES
from telemetry.streams import INGRESS, encode_readings, partition_of
from tenants.models import Organisation

ARRIVES_US = 180_000
BATCH = 100


def take_in_yesterday(tenant: Organisation) -> None:
    """Append the drives of those of these vehicles that there are to the ingress log."""
    references = [f"V{number + 1:05d}" for number in STORIES]
    vehicles = Vehicle.objects.for_tenant(tenant).filter(reference__in=references, archived_at=None)
    for vehicle in vehicles:
        past = roster.subject_of(tenant, vehicle)
        if past is None:
            continue
        readings = list(_readings(vehicle, past, tenant))
        partition = partition_of("v", vehicle.pk)
        for first in range(0, len(readings), BATCH):
            batch = readings[first : first + BATCH]
            INGRESS.append(partition, encode_readings(batch), len(batch))


def _readings(vehicle: Vehicle, past: Subject, tenant: Organisation) -> Iterator[VehicleReading]:
    told = told_of(past, roster.setting_of(tenant))
    for number, reading in enumerate(told):
        values = {name: value for name, value in reading.items() if name != "time"}
        time = reading["time"] * 1000
        yield VehicleReading(
            schema=1,
            tenant_id=vehicle.tenant_id,
            device_id=None,
            vehicle_id=vehicle.pk,
            time=time,
            received_at=time + ARRIVES_US,
            reading_id=number,
            protocol="telemetry.v1",
            **values,
        )
