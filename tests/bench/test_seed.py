"""A history made in bulk is one that verification finds nothing in."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from bench.seed import INTERVAL, Seed, sow
from fleet.models import Fleet, Meter, Vehicle
from telemetry.models import MeterReadingRow, VehicleHour, VehicleLatest, VehicleReadingRow
from telemetry.storage.connection import connect
from tenants.models import Organisation

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")


@pytest.fixture
def things(django_db_blocker):
    """Committed: the seed is sown through a connection of its own."""
    tenant = Organisation.objects.create(name="Seeded", slug="seeded")
    fleet = Fleet.unscoped.create(tenant=tenant, reference="F", name="Fleet")
    vehicles = [
        Vehicle.unscoped.create(tenant=tenant, fleet=fleet, reference=f"V{n}") for n in range(4)
    ]
    meter = Meter.unscoped.create(tenant=tenant, fleet=fleet, reference="M", name="Meter")
    yield vehicles, meter
    Vehicle.unscoped.filter(tenant=tenant).delete()
    Meter.unscoped.filter(tenant=tenant).delete()
    fleet.delete()
    tenant.delete()


def test_it_tells_as_much_as_it_is_asked_for_and_nothing_untrue(things):
    vehicles, meter = things
    until = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    asked = vehicles[:3]
    seed = Seed(9000, [vehicle.pk for vehicle in asked], [meter.pk], until)
    with connect("outrider tests") as connection:
        sow(connection, seed)
    assert VehicleReadingRow.objects.count() == 9000
    assert MeterReadingRow.objects.count() == 3000
    assert not VehicleReadingRow.objects.filter(vehicle_id=vehicles[3].pk).exists()
    newest = VehicleLatest.objects.get(vehicle_id=asked[0].pk)
    assert until - INTERVAL < newest.time <= until
    assert VehicleHour.objects.filter(vehicle_id=asked[0].pk).count() in (59, 60)
    out = StringIO()
    call_command("verify_telemetry", stdout=out)
    assert "3 vehicles, 1 meters" in out.getvalue()
