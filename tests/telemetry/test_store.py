"""The writer's transaction."""

import random
from decimal import Decimal

import pytest
from django.db import connection as django_connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry.models import (
    DeviceHealth,
    MeterHour,
    MeterReadingRow,
    VehicleHour,
    VehicleLatest,
    VehicleReadingRow,
)
from telemetry.storage import store as store_module
from telemetry.storage.connection import connect
from telemetry.storage.rollups import aggregates
from telemetry.storage.store import Store
from telemetry.storage.subjects import METERS, VEHICLES
from tests.telemetry.readings import SECOND, T0, meter_reading, moment, vehicle_reading

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def store(committed):
    with connect("outrider tests") as connection:
        yield Store(connection)


def hours_equal_history(subject):
    """Every roll-up column, stored and recomputed, for every hour there is of either."""
    names = [aggregate.column.name for aggregate in aggregates(subject)]
    recomputed = ", ".join(f"{a.recompute} AS {a.column.name}" for a in aggregates(subject))
    with django_connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {subject.key}, date_trunc('hour', time), {recomputed}"  # noqa: S608
            f" FROM {subject.history_table} GROUP BY 1, 2 ORDER BY 1, 2"
        )
        from_history = cursor.fetchall()
        columns = ", ".join([subject.key, "hour", *names])
        cursor.execute(f"SELECT {columns} FROM {subject.hour_table} ORDER BY 1, 2")  # noqa: S608
        stored = cursor.fetchall()
    assert stored == from_history
    return len(stored)


def test_it_stores_every_value_as_it_came(store):
    reading = vehicle_reading(
        lat=33.97, lon=-6.84, altitude_m=-12.5, heading_deg=359.9, speed_kmh=38.9,
        accuracy_m=4.0, satellites=11, odometer_km=12345.678, ignition=True, soc_pct=53.4,
        range_km=120.0, battery_temp_c=-3.25, battery_voltage_v=398.1, battery_current_a=-22.5,
        energy_dc_kwh=Decimal("38.123456"), charging=False, fuel_pct=0.0, engine_rpm=900.0,
        coolant_temp_c=80.0, ambient_temp_c=-5.0, supply_voltage_v=12.1, driver="Ünal 山",
        alarms=("door", "töw"), attributes={"gear": "D", "n": 3, "x": 1.5, "b": True, "z": None},
        invalid=("position",),
    )  # fmt: skip
    assert store.store([reading]) == [reading]
    row = VehicleReadingRow.objects.get()
    for name in VEHICLES.fields:
        assert getattr(row, name) == getattr(reading, name), name
    assert row.alarms == ["door", "töw"] and row.invalid == ["position"]
    assert row.attributes == reading.attributes
    assert (row.time, row.received_at) == (moment(reading.time), moment(reading.received_at))
    latest = VehicleLatest.objects.get()
    for name in [*VEHICLES.fields, "alarms", "attributes", "invalid", "time", "reading_id"]:
        assert getattr(latest, name) == getattr(row, name), name
    assert latest.older == {}


def test_it_keeps_an_empty_list_of_alarms_apart_from_none(store):
    store.store([vehicle_reading(1, alarms=()), vehicle_reading(2)])
    assert dict(VehicleReadingRow.objects.values_list("vehicle_id", "alarms")) == {1: [], 2: None}


@pytest.mark.parametrize(
    "energy", ["0", "0.000001", "9999.999999", "10000", "45.2", "99999.999999", "100000"]
)
def test_it_keeps_energy_to_the_last_digit(store, energy):
    store.store([meter_reading(energy=energy)])
    assert MeterReadingRow.objects.get().energy_ac_kwh == Decimal(energy)
    assert MeterHour.objects.get().energy_ac_kwh_sum == Decimal(energy)


def test_it_stores_a_repeated_reading_once_and_counts_it(store):
    reading = vehicle_reading(speed_kmh=10.0)
    assert store.store([reading, reading]) == [reading]
    assert store.store([reading]) == []
    assert VehicleReadingRow.objects.count() == 1
    assert VehicleHour.objects.get().readings == 1
    health = DeviceHealth.objects.get()
    assert (health.accepted, health.duplicates) == (1, 2)


def test_it_does_not_blame_the_device_for_a_redelivery(store):
    reading = vehicle_reading()
    store.store([reading])
    assert store.store([reading], redelivered=True) == []
    assert DeviceHealth.objects.get().duplicates == 0


def test_it_keeps_two_readings_of_one_moment(store):
    store.store([vehicle_reading(rid=2, soc_pct=50.0), vehicle_reading(rid=1, soc_pct=40.0)])
    assert VehicleReadingRow.objects.count() == 2
    assert VehicleLatest.objects.get().soc_pct == 50.0


def test_it_files_late_data_without_moving_the_latest_state_back(store):
    store.store([vehicle_reading(at=T0, speed_kmh=50.0)])
    late = vehicle_reading(at=T0 - 7 * 86400 * SECOND, speed_kmh=90.0, soc_pct=12.0,
                           received_at=T0)  # fmt: skip
    assert store.store([late]) == [late]
    latest = VehicleLatest.objects.get()
    assert (latest.time, latest.speed_kmh, latest.soc_pct) == (moment(T0), 50.0, 12.0)
    assert latest.older == {"soc_pct": [late.time, late.reading_id]}
    assert VehicleHour.objects.order_by("hour").first().late == 1
    assert DeviceHealth.objects.get().late == 1


def test_it_trusts_the_table_and_not_its_memory_after_forgetting(store):
    store.store([vehicle_reading(at=T0 + SECOND, soc_pct=80.0)])
    store.forget()
    store.store([vehicle_reading(at=T0, speed_kmh=33.0)])
    latest = VehicleLatest.objects.get()
    assert (latest.soc_pct, latest.speed_kmh) == (80.0, 33.0)


def test_it_stores_nothing_of_a_batch_that_fails(store):
    good, bad = vehicle_reading(1), vehicle_reading(2, satellites=70_000)
    with pytest.raises(Exception, match=r"format|range"):
        store.store([good, bad])
    assert not VehicleReadingRow.objects.exists() and not VehicleLatest.objects.exists()
    assert store.store([good]) == [good]
    assert VehicleLatest.objects.count() == 1


def test_it_cuts_a_batch_that_touches_very_many_days(store, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_DAYS", 2)
    day = 86_400 * SECOND
    readings = [vehicle_reading(at=T0 - n * day, soc_pct=float(n)) for n in range(5)]
    assert sorted(r.time for r in store.store(readings)) == sorted(r.time for r in readings)
    assert VehicleReadingRow.objects.count() == 5
    assert VehicleLatest.objects.get().soc_pct == 0.0


def test_it_grows_no_state_without_end(store):
    for n in range(300):
        store.store([vehicle_reading(at=T0 + n, attributes={f"a{n:03}": n})])
    attributes = VehicleLatest.objects.get().attributes
    assert sorted(attributes) == [f"a{n:03}" for n in range(44, 300)]


def test_roll_ups_equal_history_to_the_last_digit(store):
    rng = random.Random(7)
    readings = []
    for _ in range(600):
        at = T0 + rng.randrange(-3 * 3600, 3 * 3600) * SECOND // 2
        maybe = lambda value: value if rng.random() < 0.7 else None  # noqa: E731
        readings.append(
            vehicle_reading(
                rng.randrange(1, 5), at=at,
                received_at=at + rng.choice([100_000, 300_000_000, 300_000_001, 10**12]),
                speed_kmh=maybe(rng.uniform(0, 200)), soc_pct=maybe(rng.uniform(0, 100)),
                battery_temp_c=maybe(round(rng.uniform(-20, 60), 2)),
                odometer_km=maybe(rng.uniform(0, 1e6)),
                energy_dc_kwh=maybe(Decimal(rng.randrange(10**9)).scaleb(-6)),
            )
        )  # fmt: skip
        readings.append(
            meter_reading(
                rng.randrange(1, 3), at=at, power_kw=maybe(rng.uniform(-5, 50)),
                energy=maybe(str(Decimal(rng.randrange(10**8)).scaleb(-6))),
            )
        )  # fmt: skip
    readings += rng.sample(readings, 200)
    rng.shuffle(readings)
    while readings:
        batch, readings = readings[: (n := rng.randrange(1, 90))], readings[n:]
        store.store(batch)
        if rng.random() < 0.2:
            store.forget()
    assert VehicleReadingRow.objects.count() == 600
    assert hours_equal_history(VEHICLES) > 10
    assert hours_equal_history(METERS) > 5


_partial = st.builds(
    lambda second, rid, speed, soc, driver, attributes: vehicle_reading(
        at=T0 + second * SECOND, rid=rid, received_at=T0 + 60 * SECOND + second * 100 + rid,
        speed_kmh=speed, soc_pct=soc, driver=driver, attributes=attributes,
    ),
    st.integers(0, 5),
    st.integers(0, 3),
    st.none() | st.floats(0, 100),
    st.none() | st.floats(0, 100),
    st.none() | st.sampled_from(["a", "b"]),
    st.none() | st.dictionaries(st.sampled_from("xyz"), st.integers(0, 9), max_size=2),
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(_partial, min_size=1, max_size=14, unique_by=lambda r: (r.time, r.reading_id)),
    st.randoms(use_true_random=False),
)
def test_latest_is_the_newest_of_history_whatever_the_order(store, readings, rng):
    store.forget()
    with django_connection.cursor() as cursor:
        cursor.execute("TRUNCATE telemetry_vehicle_reading, telemetry_vehicle_latest")
    sent = [*readings, *rng.choices(readings, k=3)]
    rng.shuffle(sent)
    while sent:
        batch, sent = sent[: (n := rng.randrange(1, 6))], sent[n:]
        store.store(batch)
        if rng.random() < 0.3:
            store.forget()
    by_age = sorted(readings, key=lambda r: (r.time, r.reading_id))
    newest = by_age[-1]
    latest = VehicleLatest.objects.get()
    assert (latest.time, latest.reading_id) == (moment(newest.time), newest.reading_id)
    assert latest.received_at == moment(newest.received_at)
    expected, older, attributes = {}, {}, {}
    for reading in by_age:
        version = [reading.time, reading.reading_id]
        for name in ("speed_kmh", "soc_pct", "driver"):
            if getattr(reading, name) is not None:
                expected[name], older[name] = getattr(reading, name), version
        for name, value in (reading.attributes or {}).items():
            attributes[name], older[f"attributes.{name}"] = value, version
    for name in ("speed_kmh", "soc_pct", "driver"):
        assert getattr(latest, name) == expected.get(name)
    assert (latest.attributes or {}) == attributes
    current = [newest.time, newest.reading_id]
    assert latest.older == {name: v for name, v in older.items() if v != current}
