"""Verification finds every kind of lie, and retention leaves nothing for it to find."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection as django_connection
from django.utils import timezone

from telemetry import retention
from telemetry.models import (
    MeterReadingRow,
    QuarantinedFrame,
    VehicleHour,
    VehicleLatest,
    VehicleReadingRow,
)
from telemetry.storage.connection import connect
from telemetry.storage.store import Store
from telemetry.streams import STORED
from tests import people
from tests.telemetry.readings import SECOND, meter_reading, vehicle_reading

DAY = 86_400 * SECOND
NOW = timezone.now().replace(minute=10, second=0, microsecond=0)
NOW_US = int(NOW.timestamp()) * SECOND


@pytest.fixture
def store(committed, empty_logs):
    with connect("outrider tests") as connection:
        yield Store(connection)


def some_readings(**fixed):
    return [
        vehicle_reading(
            n % 3 + 1, at=NOW_US - n * 1700 * SECOND, soc_pct=n % 7 * 1.3 if n % 4 else None,
            speed_kmh=n * 0.7, attributes={"gear": "D", f"x{n % 5}": n} if n % 2 else None, **fixed,
        )
        for n in range(120)
    ] + [
        meter_reading(n % 2 + 1, at=NOW_US - n * DAY, energy="0.123456") for n in range(9)
    ]  # fmt: skip


def verify(*arguments):
    """Exit status and report."""
    out = StringIO()
    try:
        call_command("verify_telemetry", *arguments, stdout=out)
    except SystemExit as exit_:
        return exit_.code, out.getvalue()
    return 0, out.getvalue()


def test_it_finds_nothing_to_say_about_what_the_writer_stored(store, db):
    readings = some_readings()
    store.store(readings[60:])
    store.store(readings[:70])
    status, report = verify()
    assert status == 0, report
    assert "3 vehicles, 2 meters" in report and "no differences" in report


LIES = [
    "UPDATE telemetry_vehicle_latest SET soc_pct = 99 WHERE vehicle_id = 2",
    'UPDATE telemetry_vehicle_latest SET attributes = attributes || \'{"gear": "R"}\''
    " WHERE vehicle_id = 1",
    "UPDATE telemetry_vehicle_latest SET attributes = attributes - 'x1' WHERE vehicle_id = 2",
    "UPDATE telemetry_vehicle_latest SET attributes = attributes || '{\"ghost\": 1}'"
    " WHERE vehicle_id = 1",
    "UPDATE telemetry_vehicle_latest SET driver = 'nobody' WHERE vehicle_id = 1",
    "UPDATE telemetry_vehicle_latest SET older = '{}' WHERE vehicle_id = 2",
    "UPDATE telemetry_vehicle_latest SET received_at = now() WHERE vehicle_id = 3",
    "DELETE FROM telemetry_meter_latest WHERE meter_id = 1",
    "UPDATE telemetry_vehicle_hour SET speed_kmh_sum = speed_kmh_sum + 0.000001"
    " WHERE vehicle_id = 1",
    "UPDATE telemetry_vehicle_hour SET late = late + 1 WHERE vehicle_id = 1",
    "DELETE FROM telemetry_meter_hour WHERE meter_id = 2",
    "DELETE FROM telemetry_vehicle_reading WHERE vehicle_id = 3 AND speed_kmh > 30",
    "UPDATE telemetry_device_health SET refused = 5 WHERE device_id = 1001",
    "INSERT INTO telemetry_quarantined_frame (log_id, device_id, adapter, adapter_version, code,"
    " field, detail, raw, raw_size, received_at, replay_outcome)"
    " VALUES ('x', 1001, 'a', 1, 'malformed', '', '', '', 0, now(), '')",
]


@pytest.mark.parametrize("lie", LIES)
def test_it_finds(store, lie, django_db_blocker):
    store.store(some_readings())
    with django_connection.cursor() as cursor:
        cursor.execute(lie)
        assert cursor.rowcount > 0
    status, report = verify()
    assert status == 1, report
    assert "Differences" in report


OLD = {
    # What was said once, a month ago, and never since: its reading must still say so.
    "a value": "UPDATE telemetry_vehicle_latest SET fuel_pct = 1 WHERE vehicle_id = 7",
    "an attribute": "UPDATE telemetry_vehicle_latest"
    ' SET attributes = attributes || \'{"colour": "red"}\' WHERE vehicle_id = 7',
    "a value's reading": "DELETE FROM telemetry_vehicle_reading"
    " WHERE vehicle_id = 7 AND fuel_pct IS NOT NULL",
    "an attribute's reading": "UPDATE telemetry_vehicle_reading SET attributes = NULL"
    " WHERE vehicle_id = 7 AND attributes ? 'colour'",
    "its age": "UPDATE telemetry_vehicle_latest SET older = jsonb_set(older, '{fuel_pct,1}', '5')"
    " WHERE vehicle_id = 7",
    "a new attribute": "UPDATE telemetry_vehicle_latest"
    ' SET attributes = attributes || \'{"gear": "N"}\' WHERE vehicle_id = 7',
}


@pytest.fixture
def said_long_ago(store):
    old = {"fuel_pct": 80.0, "attributes": {"colour": "blue"}}
    store.store([vehicle_reading(7, at=NOW_US - 30 * DAY, **old)])
    store.store([vehicle_reading(7, at=NOW_US - n * SECOND, speed_kmh=1.0 * n,
                                 attributes={"gear": "D"}) for n in range(5)])  # fmt: skip


@pytest.mark.parametrize("lie", OLD.values(), ids=list(OLD))
def test_it_follows_an_old_value_to_its_reading_whatever_since_says(
    said_long_ago, lie, django_db_blocker
):
    since = ("--since", (NOW - timedelta(days=2)).isoformat())
    assert verify(*since)[0] == 0
    with django_connection.cursor() as cursor:
        cursor.execute(lie)
        assert cursor.rowcount > 0
    status, report = verify(*since)
    assert status == 1 and "vehicle 7" in report, report
    assert verify()[0] == 1


def test_it_knows_that_only_the_newest_attributes_are_kept(store, db):
    """257 names, each in a reading of its own: the oldest is gone, and rightly."""
    names = [f"n{n:03}" for n in range(257)]
    store.store(
        [
            vehicle_reading(8, at=NOW_US - n * 3600 * SECOND, attributes={name: n})
            for n, name in enumerate(names)
        ]
    )
    assert verify()[0] == 0
    store._connection.execute(
        "UPDATE telemetry_vehicle_latest SET attributes = attributes || '{\"n256\": 256}'"
    )
    assert verify()[0] == 1


def test_it_finds_a_group_that_nobody_declared(store):
    STORED.ensure_group(0, "nobody")
    status, report = verify()
    assert status == 1 and "nobody" in report


def test_it_looks_only_where_it_is_told(store, committed, db):
    tenant = people.an_organisation("verified")
    store.store(some_readings(tenant_id=tenant.pk + 1))
    store._connection.execute(
        "UPDATE telemetry_vehicle_hour SET late = 7 WHERE hour < %s", [NOW - timedelta(days=1)]
    )
    assert verify("--tenant", "verified")[0] == 0
    assert verify("--since", (NOW - timedelta(hours=20)).isoformat())[0] == 0
    assert verify("--since", (NOW - timedelta(days=9)).date().isoformat())[0] == 1
    for bad in (["--tenant", "nobody"], ["--since", "soon"]):
        with pytest.raises(CommandError):
            verify(*bad)


def test_retention_drops_history_and_roll_ups_together(store, settings):
    settings.TELEMETRY_RETENTION_DAYS = 30
    old = [vehicle_reading(1, at=NOW_US - days * DAY, soc_pct=1.0 * days) for days in (29, 31, 90)]
    gone = meter_reading(1, at=NOW_US - 400 * DAY, energy="1")
    store.store([*old, gone])
    removed = retention.expire(store._connection, NOW)
    assert removed["chunks"] >= 3
    assert [row.soc_pct for row in VehicleReadingRow.objects.all()] == [29.0]
    assert VehicleHour.objects.count() == 1
    assert not MeterReadingRow.objects.exists()
    assert VehicleLatest.objects.count() == 1
    assert verify()[0] == 0
    assert retention.expire(store._connection, NOW)["chunks"] == 0


def test_retention_honours_a_tenants_shorter_period(store, committed, db):
    brief, other = people.an_organisation(), people.an_organisation()
    brief.retention_days = 7
    brief.save()
    readings = [
        vehicle_reading(tenant.pk, at=NOW_US - days * DAY, tenant_id=tenant.pk, soc_pct=50.0)
        for tenant in (brief, other)
        for days in (1, 6, 8, 40, 200)
    ]
    store.store(readings)
    removed = retention.expire(store._connection, NOW)
    assert (removed["readings"], removed["hours"]) == (3, 3)
    kept = VehicleReadingRow.objects.values_list("tenant_id", flat=True)
    assert sorted(kept) == sorted([brief.pk] * 2 + [other.pk] * 5)
    assert verify()[0] == 0


def test_retention_clears_the_quarantine_by_age(store, settings, db):
    settings.TELEMETRY_QUARANTINE_DAYS = 10
    for days in (1, 9, 12):
        QuarantinedFrame.objects.create(
            log_id=f"q{days}", adapter="a", adapter_version=1, code="malformed", raw=b"",
            raw_size=0, received_at=NOW - timedelta(days=days),
        )  # fmt: skip
    with django_connection.cursor() as cursor:
        assert retention._delete_frames(cursor, retention.cutoff(NOW, 10)) == 1
    assert set(QuarantinedFrame.objects.values_list("log_id", flat=True)) == {"q1", "q9"}


def test_no_columnstore_is_asked_of_an_edition_that_has_none(store):
    """The Apache edition refuses the option; retention must not even try."""
    if retention.licence_allows_columnstore(store._connection):
        pytest.skip("this is the Community edition")
    store.store([vehicle_reading(1, at=NOW_US - 60 * DAY)])
    assert retention.expire(store._connection, NOW)["columnstore"] == 0


def test_the_cutoff_is_midnight_so_that_an_hour_is_whole_or_gone():
    now = datetime(2026, 3, 1, 2, 17, tzinfo=UTC)
    assert retention.cutoff(now, 10) == datetime(2026, 2, 19, tzinfo=UTC)
