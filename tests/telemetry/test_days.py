"""Daily roll-ups: made of closed days, marked by late readings, and never told apart from hours."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Thread

import pytest
from django.db import connection as django_connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.range import Range

from fleet.models import Fleet, Meter, MeterMapping, Vehicle
from telemetry import days, periods, retention
from telemetry.models import DaysClosed, VehicleDay
from telemetry.storage import days as storage_days
from telemetry.storage.connection import connect
from telemetry.storage.store import Store
from telemetry.storage.subjects import VEHICLES
from tests import people
from tests.telemetry.readings import SECOND, meter_reading, vehicle_reading
from tests.telemetry.test_verify_and_retention import verify

NOW = datetime.now(UTC).replace(minute=10, second=0, microsecond=0)
HOUR = 3600 * SECOND
DAY = 24 * HOUR
NOW_US = int(NOW.timestamp()) * SECOND


@pytest.fixture
def store(committed, empty_logs):
    with connect("outrider tests") as connection:
        yield Store(connection)


def drive(vehicle_id, hours_ago, **values):
    values = {"odometer_km": 5000 - hours_ago * 7.25, "energy_dc_kwh": Decimal("0.7")} | values
    return vehicle_reading(vehicle_id, at=NOW_US - round(hours_ago * HOUR), **values)


def some_readings():
    """A week of two vehicles and a meter; the second has no odometer."""
    return [
        reading
        for half in range(2 * 24 * 7)
        for reading in (
            drive(1, half / 2),
            drive(2, half / 2, odometer_km=None, speed_kmh=0.5 + half % 50),
            meter_reading(1, at=NOW_US - half * HOUR // 2, energy="0.25"),
        )
    ]


def close(store, now=NOW):
    return days.close(store._connection, now)


def sums(start, end):
    return (
        periods.by_vehicle([1, 2], start=start, end=end),
        periods.vehicle_hours([1, 2], start=start, end=end),
        periods.meter_hours([1], start=start, end=end),
    )


def same(of_days, of_hours):
    """Decimals to the digit, kilometres to the millionth of one in each hour."""
    vehicles, hours, meters = of_days
    expected_vehicles, expected_hours, expected_meters = of_hours
    assert vehicles.keys() == expected_vehicles.keys()
    for pk, one in vehicles.items():
        other = expected_vehicles[pk]
        assert (one.energy_dc_kwh, one.odometer_km_min, one.odometer_km_max) == (
            other.energy_dc_kwh, other.odometer_km_min, other.odometer_km_max
        )  # fmt: skip
        assert one.km == pytest.approx(other.km, abs=1e-3)
    spoken = {hour: told for hour, told in hours.items() if any(told)}
    assert spoken == {h: (pytest.approx(km), dc) for h, (km, dc) in expected_hours.items()}
    assert {hour: ac for hour, ac in meters.items() if ac} == expected_meters


def forget_days():
    with django_connection.cursor() as cursor:
        cursor.execute("TRUNCATE telemetry_vehicle_day, telemetry_meter_day, telemetry_days_closed")


def test_a_closed_day_says_what_its_hours_say(store):
    store.store(some_readings())
    week = (NOW - timedelta(days=8), NOW + timedelta(hours=1))
    week = tuple(moment.replace(minute=0) for moment in week)
    before = sums(*week)
    assert len(before[1]) == 169 and before[0][2].km > 0
    done = close(store)
    assert done["closed"] >= 10
    assert VehicleDay.objects.count() >= 10
    same(sums(*week), before)
    assert verify()[0] == 0
    assert close(store) == {"closed": 0, "remade": 0}


@given(st.integers(0, 24 * 9), st.integers(0, 24 * 9))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_period_is_the_same_by_days_and_by_hours(closed_week, one, other):
    """On any hour; days, nothing or less than a day in it."""
    start, end = (NOW.replace(minute=0) - timedelta(hours=h) for h in sorted((one, other))[::-1])
    of_days = sums(start, end)
    with django_connection.cursor() as cursor:
        cursor.execute("UPDATE telemetry_vehicle_day SET is_stale = true")
        cursor.execute("UPDATE telemetry_meter_day SET is_stale = true")
        same(of_days, sums(start, end))
        cursor.execute("UPDATE telemetry_vehicle_day SET is_stale = false")
        cursor.execute("UPDATE telemetry_meter_day SET is_stale = false")


@pytest.fixture
def closed_week(store):
    store.store(some_readings())
    close(store)


def test_only_a_day_that_has_been_over_for_a_day_is_closed(store):
    store.store([drive(1, 24 * n) for n in range(5)])
    close(store)
    assert DaysClosed.objects.get(kind="v").before <= NOW - storage_days.CLOSED_AFTER
    midnight = NOW.replace(hour=0, minute=0)
    expected = midnight - timedelta(days=0 if midnight + timedelta(days=1) <= NOW else 1)
    assert DaysClosed.objects.get(kind="v").before == expected


def test_a_late_reading_counts_at_once_and_its_day_is_made_anew(closed_week, store):
    span = {"start": NOW - timedelta(days=6), "end": NOW}
    before = periods.by_vehicle([1], **span)[1]
    store.store([drive(1, 100.25, energy_dc_kwh=Decimal("3.000001"))])
    (stale,) = VehicleDay.objects.filter(is_stale=True)
    assert stale.vehicle_id == 1
    after = periods.by_vehicle([1], **span)[1]
    assert after.energy_dc_kwh - before.energy_dc_kwh == Decimal("3.000001")
    assert verify()[0] == 0
    assert close(store)["remade"] == 1
    assert not VehicleDay.objects.filter(is_stale=True).exists()
    assert periods.by_vehicle([1], **span)[1] == after
    assert verify()[0] == 0


def test_a_late_reading_of_a_vehicle_never_heard_of_gets_its_day(closed_week, store):
    store.store([drive(3, 100), drive(3, 24 * 60)])
    found = periods.by_vehicle([3], start=NOW - timedelta(days=90), end=NOW)
    assert found[3].energy_dc_kwh == Decimal("1.4")
    assert close(store)["remade"] == 2
    assert periods.by_vehicle([3], start=NOW - timedelta(days=90), end=NOW) == found
    assert VehicleDay.objects.filter(vehicle_id=3).count() == 2
    assert verify()[0] == 0


def test_an_hour_adds_up_sound_days_and_stale_ones(closed_week, store):
    """A late reading marks the day of one vehicle; that of the other is still told by its row."""
    store.store([drive(1, 100.25, energy_dc_kwh=Decimal("3.000001"))])
    span = {"start": NOW - timedelta(days=6), "end": NOW}
    marked = periods.vehicle_hours([1, 2], **span)
    close(store)
    remade = periods.vehicle_hours([1, 2], **span)
    assert marked == {h: (pytest.approx(km), dc) for h, (km, dc) in remade.items()}


def test_a_repeated_late_reading_marks_nothing(closed_week, store):
    reading = drive(1, 100.25)
    store.store([reading])
    close(store)
    store.store([reading])
    assert not VehicleDay.objects.filter(is_stale=True).exists()


def test_a_day_is_not_closed_over_a_reading_that_is_being_stored(store):
    """The writer has stored and not committed: whoever closes waits for it."""
    store.store([drive(1, 24 * 5 + n) for n in range(30)])
    close(store, NOW - timedelta(days=3))
    with connect("outrider closer") as closer:
        with store._connection.transaction():
            store.store([drive(1, 24 * 4 + 3.3, energy_dc_kwh=Decimal(50))])
            closing = Thread(target=days.close, args=(closer, NOW))
            closing.start()
            closing.join(0.5)
            assert closing.is_alive()
        closing.join(20)
        assert not closing.is_alive()
    total = periods.by_vehicle([1], start=NOW - timedelta(days=8), end=NOW)[1].energy_dc_kwh
    assert total == Decimal("0.7") * 30 + 50
    assert verify()[0] == 0


@pytest.mark.parametrize(
    "lie",
    [
        "UPDATE telemetry_vehicle_day SET energy_dc_kwh_sum = energy_dc_kwh_sum + 0.000001"
        " WHERE vehicle_id = 1",
        "UPDATE telemetry_vehicle_day SET km_by_hour[7] = 9.5 WHERE vehicle_id = 2",
        "UPDATE telemetry_vehicle_day SET readings = readings - 1 WHERE vehicle_id = 2",
        "DELETE FROM telemetry_meter_day WHERE readings > 40",
        "INSERT INTO telemetry_vehicle_day SELECT (jsonb_populate_record(one,"
        " jsonb_build_object('day', day - interval '50 days'))).*"
        " FROM telemetry_vehicle_day one WHERE vehicle_id = 1",
    ],
)
def test_verification_finds(closed_week, lie):
    with django_connection.cursor() as cursor:
        cursor.execute(lie)
        assert cursor.rowcount > 0
    status, report = verify()
    assert status == 1 and "daily roll-up" in report, report


def test_retention_takes_days_with_their_hours(store, settings):
    settings.TELEMETRY_RETENTION_DAYS = 30
    store.store([drive(1, 24 * n) for n in (5, 29, 33, 200)])
    close(store)
    retention.expire(store._connection, NOW)
    kept = VehicleDay.objects.order_by("day").values_list("day", flat=True)
    assert len(kept) == 2 and kept[0] >= retention.cutoff(NOW, 30)
    assert verify()[0] == 0


def test_a_tenants_shorter_period_takes_its_days(store, db):
    store.store([drive(1, 24 * n) for n in (5, 9)])
    close(store)
    retention._delete_days(store._connection, VEHICLES, 1, retention.cutoff(NOW, 7))
    assert VehicleDay.objects.count() == 1
    assert verify()[0] == 0


def test_energy_goes_to_the_vehicle_that_was_mapped_in_that_hour(closed_week, store, db):
    """The meter changes vehicles in the middle of a closed day, and of a stale one alike."""
    tenant = people.an_organisation()
    of = {"tenant": tenant, "fleet": Fleet.unscoped.create(tenant=tenant, reference="F", name="F")}
    vans = [Vehicle.unscoped.create(reference=f"V{n}", **of) for n in range(2)]
    meter = Meter.unscoped.create(pk=7001, reference="M", name="Meter", **of)
    store.store(
        [meter_reading(meter.pk, at=NOW_US - n * HOUR, energy="1.5") for n in range(24 * 8)]
    )
    change = (NOW - timedelta(days=4)).replace(hour=9, minute=0)
    for van, valid in ((vans[0], Range(None, change)), (vans[1], Range(change, None))):
        MeterMapping.unscoped.create(tenant=tenant, meter=meter, vehicle=van, valid=valid)
    start, end = change - timedelta(hours=40), change + timedelta(hours=17)
    expected = {vans[0].pk: Decimal(60), vans[1].pk: Decimal("25.5")}
    assert periods.metered_by_vehicle([meter.pk], start=start, end=end) == expected
    close(store)
    assert periods.metered_by_vehicle([meter.pk], start=start, end=end) == expected
