"""The simulated fleet against a running platform, and the demonstration it belongs to."""

import signal
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from telemetry.simulator.geometry import distance_m
from telemetry.simulator.past import PARTS, Setting, Subject, past_of
from tests.telemetry.platform import running_platform

VEHICLES = 12


@contextmanager
def demonstration(state):
    with running_platform() as running:
        running.environment["DEMO_SECRETS_DIR"] = str(state)
        made = running.manage("create_demo", "--vehicles", VEHICLES)
        assert made.returncode == 0, made.stderr
        yield running


@pytest.fixture(scope="module")
def platform(django_db_setup, tmp_path_factory):
    with demonstration(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def untouched(django_db_setup, tmp_path):
    """For the one test that counts everything."""
    with demonstration(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def logins(platform):
    """What create_demo prints."""
    return str(platform.manage("create_demo", "--vehicles", VEHICLES).stdout)


def simulate(platform, seconds, *options):
    """Run the simulator for a while, then stop it as a supervisor does."""
    process = platform.start(
        *(sys.executable, "manage.py", "simulate", "--interval", "0.5", "--meter-interval", "1"),
        *("--url", platform.device_url, "--http-url", f"http://127.0.0.1:{platform.port}"),
        *map(str, options),
    )
    before = count(platform, "telemetry_vehicle_reading")
    assert eventually(lambda: count(platform, "telemetry_vehicle_reading") > before, 60)
    time.sleep(seconds)
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert time.monotonic() - asked < 10


def eventually(look, seconds=30):
    """True as soon as it holds."""
    deadline = time.monotonic() + seconds
    while not look() and time.monotonic() < deadline:
        time.sleep(0.2)
    return look()


def count(platform, table):
    return platform.sql(f"SELECT count(*)::int FROM {table}")[0][0]  # noqa: S608


def test_it_creates_a_demonstration_with_people_of_every_role(platform, logins):
    roles = platform.sql(
        "SELECT u.email, m.role FROM tenants_membership m JOIN tenants_user u ON u.id = m.user_id"
        " JOIN tenants_organisation o ON o.id = m.tenant_id WHERE o.slug = 'atlas' ORDER BY 1"
    )
    assert [role for _, role in roles] == ["dispatcher", "manager", "owner", "viewer"]
    assert all(email in logins for email, _ in roles)
    assert "support@outrider.example" in logins
    assert count(platform, "fleet_vehicle") == count(platform, "fleet_device") == VEHICLES


def test_it_adds_nothing_when_it_is_created_again(platform, logins):
    tables = ("fleet_vehicle", "fleet_meter", "fleet_metermapping", "tenants_auditentry")
    before = [count(platform, table) for table in tables]
    again = platform.manage("create_demo", "--vehicles", VEHICLES)
    assert again.stdout == logins
    assert [count(platform, table) for table in tables] == before


FILL = ("simulate_past", "--rate", "1000000", "--http-url")


def week_before(platform):
    """How many readings the vehicles' past has, as its model says."""
    (until, zone), *_ = platform.sql(
        "SELECT created_at, time_zone FROM tenants_organisation WHERE slug = 'atlas'"
    )
    setting = Setting(until.timestamp(), ZoneInfo(zone), 1)
    vehicles = platform.sql("SELECT reference, kind, battery_capacity_kwh FROM fleet_vehicle")
    pasts = [
        past_of(Subject(int(reference[1:]) - 1, kind, float(capacity)), setting)
        for reference, kind, capacity in vehicles
    ]
    return sum(len(lived.readings) + len(lived.told) for past in pasts for lived in past)


def doubled(platform, thing):
    return platform.sql(
        f"SELECT 1 FROM telemetry_{thing}_reading GROUP BY {thing}_id, time HAVING count(*) > 1"  # noqa: S608
    )


def test_it_fills_in_the_week_before_though_it_is_killed_on_the_way(untouched):
    address = f"http://127.0.0.1:{untouched.port}"
    killed = untouched.start(sys.executable, "manage.py", *FILL, address)
    assert eventually(lambda: count(untouched, "telemetry_vehicle_reading") > 15_000, 60)
    killed.kill()
    killed.wait()
    filled = untouched.manage(*FILL, address)
    assert filled.returncode == 0, filled.stderr
    assert "being filled in for 12 vehicles" in filled.stdout
    expected = week_before(untouched)
    assert expected > VEHICLES * 3_000
    assert eventually(lambda: count(untouched, "telemetry_vehicle_reading") == expected, 60)
    meter_readings = PARTS * 4 * 144
    assert 0.85 < count(untouched, "telemetry_meter_reading") / meter_readings < 1.15
    assert count(untouched, "telemetry_quarantined_frame") == 0
    assert doubled(untouched, "vehicle") == doubled(untouched, "meter") == []


@pytest.fixture(scope="module")
def lived(platform, logins):
    """The week before is there, whichever of these tests a worker begins with."""
    filled = platform.manage(*FILL, f"http://127.0.0.1:{platform.port}")
    assert filled.returncode == 0, filled.stderr
    expected = week_before(platform)
    assert eventually(lambda: count(platform, "telemetry_vehicle_reading") >= expected, 60)


def test_it_has_nothing_to_fill_in_the_second_time(platform, lived):
    again = platform.manage(*FILL, "http://127.0.0.1:1")
    assert (again.returncode, again.stdout) == (0, "")


def test_it_goes_on_live_from_the_end_of_the_week_before(platform, lived):
    """Another seed is another future; there is one past."""
    newest = (
        "SELECT DISTINCT ON (vehicle_id) vehicle_id, odometer_km, soc_pct, lat, lon"
        " FROM telemetry_vehicle_reading ORDER BY vehicle_id, time DESC, reading_id DESC"
    )
    before = {vehicle: values for vehicle, *values in platform.sql(newest)}
    since = platform.sql("SELECT max(time) FROM telemetry_vehicle_reading")[0][0]
    simulate(platform, 8, "--seed", "7", "--garbage-rate", "0", "--drop-rate", "0")
    live = (
        "SELECT DISTINCT ON (vehicle_id) vehicle_id, odometer_km, soc_pct, lat, lon"
        " FROM telemetry_vehicle_reading WHERE time > %s ORDER BY vehicle_id, time"
    )
    after = {vehicle: values for vehicle, *values in platform.sql(live, since)}
    assert len(after) == VEHICLES
    for vehicle, (odometer_km, soc_pct, lat, lon) in before.items():
        # Up to four minutes lie between the last reading of the past and its end.
        assert -0.01 <= after[vehicle][0] - odometer_km < 8
        assert abs(after[vehicle][1] - soc_pct) < 5
        assert distance_m((lat, lon), (after[vehicle][2], after[vehicle][3])) < 8_000


def test_it_reports_every_vehicle_and_meter_and_survives_its_own_rubbish(platform):
    simulate(platform, 15, "--garbage-rate", "0.3", "--duplicate-rate", "0.3", "--drop-rate", "0")
    assert eventually(lambda: count(platform, "telemetry_vehicle_latest") == VEHICLES)
    assert eventually(lambda: count(platform, "telemetry_meter_latest") == 4)
    assert eventually(lambda: count(platform, "telemetry_quarantined_frame") > 5)
    doubled = platform.sql(
        "SELECT vehicle_id, time, reading_id FROM telemetry_vehicle_reading"
        " GROUP BY 1, 2, 3 HAVING count(*) > 1"
    )
    assert doubled == []


def test_it_goes_on_from_the_latest_state_when_it_is_started_again(platform):
    def latest():
        rows = platform.sql(
            "SELECT vehicle_id, time, odometer_km, soc_pct, lat, lon FROM telemetry_vehicle_latest"
        )
        return {vehicle: values for vehicle, *values in rows}

    quiet = ("--garbage-rate", "0", "--drop-rate", "0")
    simulate(platform, 6, *quiet)
    before, since = latest(), datetime.now(UTC)
    assert len(before) == VEHICLES
    simulate(platform, 8, "--seed", "99", *quiet)
    assert eventually(lambda: all(time > since for time, *_ in latest().values()))
    for vehicle, (_, odometer_km, soc_pct, lat, lon) in latest().items():
        _, odometer_before, soc_before, *place_before = before[vehicle]
        assert 0 <= odometer_km - odometer_before < 1.5
        assert abs(soc_pct - soc_before) < 1.5
        assert distance_m((lat, lon), place_before) < 1_500


def test_it_waits_for_a_server_that_is_away(platform):
    ingest, *_ = platform.processes
    ingest.send_signal(signal.SIGKILL)
    ingest.wait()
    before = count(platform, "telemetry_vehicle_reading")
    process = platform.start(
        *(sys.executable, "manage.py", "simulate", "--interval", "0.5", "--drop-rate", "0"),
        *("--url", platform.device_url, "--http-url", f"http://127.0.0.1:{platform.port}"),
    )
    time.sleep(6)
    assert process.poll() is None
    platform.start_ingest()
    assert eventually(lambda: count(platform, "telemetry_vehicle_reading") > before + 3 * VEHICLES)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
