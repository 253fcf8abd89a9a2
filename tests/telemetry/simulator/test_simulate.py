"""The simulated fleet against a running platform, and the demonstration it belongs to."""

import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.telemetry.platform import running_platform

VEHICLES = 12


@pytest.fixture(scope="module")
def platform(django_db_setup, tmp_path_factory):
    with running_platform() as running:
        running.environment["DEMO_SECRETS_DIR"] = str(tmp_path_factory.mktemp("state"))
        made = running.manage("create_demo", "--vehicles", VEHICLES)
        assert made.returncode == 0, made.stderr
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
    def odometers():
        rows = platform.sql("SELECT vehicle_id, odometer_km, soc_pct FROM telemetry_vehicle_latest")
        return {vehicle: values for vehicle, *values in rows}

    before, since = odometers(), datetime.now(UTC)
    simulate(platform, 12, "--seed", "99", "--garbage-rate", "0", "--drop-rate", "0")
    recent = since - timedelta(seconds=1)
    assert eventually(
        lambda: platform.sql("SELECT 1 FROM telemetry_vehicle_latest WHERE time > %s", recent)
    )
    after = odometers()
    for vehicle, (odometer_km, soc_pct) in before.items():
        assert 0 <= after[vehicle][0] - odometer_km < 1.5
        assert abs(after[vehicle][1] - soc_pct) < 1.5


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
