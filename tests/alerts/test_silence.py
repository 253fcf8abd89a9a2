"""Silence is found on time, ends when the vehicle speaks, and is not blamed on our own lag."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from alerts import platform, silence
from alerts.dry_run import episodes_of
from alerts.engine.spec import decode_spec
from alerts.models import Alert, SilenceWatch
from alerts.rulebook import RuleBook
from alerts.rules import create_rule
from alerts.starting import ensure_starting_rules
from fleet.models import Device
from telemetry.models import DeviceHealth, VehicleLatest, VehicleReadingRow
from telemetry.streams import INGRESS
from tenants.models import Organisation
from tests.alerts.conftest import make_vehicle

pytestmark = pytest.mark.django_db


@pytest.fixture
def rule(actor):
    definition = {"kind": "silence", "params": {"after_s": 300}}
    return create_rule(actor=actor, name="No telemetry", definition=definition)


@pytest.fixture
def now():
    return timezone.now()


def hear(vehicle, at):
    VehicleLatest.objects.update_or_create(
        vehicle_id=vehicle.pk,
        defaults={
            "tenant_id": vehicle.tenant_id,
            "time": at,
            "received_at": at,
            "reading_id": 1,
            "protocol": "telemetry.v1",
        },
    )


def sweep(at):
    book = RuleBook()
    silence.sync_watches(book)
    return silence.sweep(book, now=at)


def test_it_opens_when_the_silence_is_long_enough_and_not_before(rule, vehicle, now):
    hear(vehicle, now)
    sweep(now + timedelta(seconds=299))
    assert not Alert.unscoped.exists()
    sweep(now + timedelta(seconds=301))
    alert = Alert.unscoped.get()
    assert alert.started_at == now
    assert alert.opened_at == now + timedelta(seconds=300)


def test_it_resolves_when_the_vehicle_speaks(rule, vehicle, now):
    hear(vehicle, now)
    sweep(now + timedelta(seconds=301))
    hear(vehicle, now + timedelta(seconds=500))
    sweep(now + timedelta(seconds=503))
    alert = Alert.unscoped.get()
    assert alert.state == "resolved"
    assert alert.resolved_at == now + timedelta(seconds=500)
    sweep(now + timedelta(seconds=801))
    assert Alert.unscoped.count() == 2


def silent_rule(actor, **fields):
    definition = {"kind": "silence", "params": {"after_s": 300}, **fields}
    return create_rule(actor=actor, name="No telemetry", definition=definition)


def at(now, seconds):
    return now + timedelta(seconds=seconds)


def test_it_opens_again_only_after_the_cooldown(actor, vehicle, now):
    silent_rule(actor, cooldown_s=1800)
    hear(vehicle, now)
    sweep(at(now, 301))
    hear(vehicle, at(now, 400))
    for seconds in (403, 800, 2199):
        sweep(at(now, seconds))
    assert Alert.unscoped.get().state == "resolved"
    sweep(at(now, 2201))
    second = Alert.unscoped.get(state="open")
    assert (second.started_at, second.opened_at) == (at(now, 400), at(now, 2200))


def test_a_cooldown_does_not_shorten_a_silence(actor, vehicle, now):
    silent_rule(actor, cooldown_s=1800)
    hear(vehicle, now)
    sweep(at(now, 301))
    hear(vehicle, at(now, 400))
    sweep(at(now, 403))
    hear(vehicle, at(now, 2100))
    sweep(at(now, 2201))
    sweep(at(now, 2399))
    assert Alert.unscoped.count() == 1
    sweep(at(now, 2401))
    assert Alert.unscoped.get(state="open").opened_at == at(now, 2400)


def test_a_silence_outside_the_schedule_opens_with_the_next_period(actor, vehicle):
    evening = datetime(2026, 7, 1, 20, 0, tzinfo=UTC)  # 22:00 in Berlin
    silent_rule(actor, schedule=[{"days": list(range(7)), "start": 360, "end": 1200}])
    hear(vehicle, evening)
    for minutes in range(6, 600, 30):
        sweep(evening + timedelta(minutes=minutes))
    assert evening + timedelta(minutes=576) < datetime(2026, 7, 2, 6, tzinfo=UTC)
    alert = Alert.unscoped.get()
    morning = datetime(2026, 7, 2, 4, 0, tzinfo=UTC)  # 06:00 in Berlin
    assert alert.started_at == evening
    assert morning <= alert.opened_at <= morning + timedelta(minutes=31)


def test_a_silence_that_ends_outside_the_schedule_opens_nothing(actor, vehicle):
    evening = datetime(2026, 7, 1, 20, 0, tzinfo=UTC)
    silent_rule(actor, schedule=[{"days": list(range(7)), "start": 360, "end": 1200}])
    hear(vehicle, evening)
    sweep(evening + timedelta(minutes=30))
    hear(vehicle, evening + timedelta(minutes=60))
    sweep(evening + timedelta(minutes=61))
    assert not Alert.unscoped.exists()


def would_have(tenant, heard, **fields):
    """[(opened, resolved)] in seconds of a dry run over arrivals at those seconds."""
    spec = decode_spec({"kind": "silence", "params": {"after_s": 300}, **fields})
    start = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)  # 08:00 in Berlin
    VehicleReadingRow.objects.bulk_create(
        VehicleReadingRow(
            tenant_id=tenant.pk, vehicle_id=1, time=at(start, seconds), reading_id=1,
            received_at=at(start, seconds), protocol="telemetry.v1",
        )
        for seconds in heard
    )  # fmt: skip
    found = episodes_of(
        tenant=tenant, spec=spec, subject_id=1, since=start, until=at(start, 86_400)
    )
    ends = [(each["opened_at"], each["resolved_at"]) for each in found]
    return [
        tuple(one and (datetime.fromisoformat(one) - start).total_seconds() for one in pair)
        for pair in ends
    ]


def test_a_dry_run_of_silence_knows_its_cooldown_and_its_schedule(tenant):
    heard = [0, 400, 800, 1000, 5000]
    assert would_have(tenant, heard)[:3] == [(300, 400), (700, 800), (1300, 5000)]
    VehicleReadingRow.objects.all().delete()
    # From 800 s on it may open again; the silence of 1000 s lasts beyond 1300 s.
    assert would_have(tenant, heard, cooldown_s=400)[:2] == [(300, 400), (1300, 5000)]
    VehicleReadingRow.objects.all().delete()
    assert would_have(tenant, heard, cooldown_s=2000)[:2] == [(300, 400), (2400, 5000)]
    VehicleReadingRow.objects.all().delete()
    from_nine = [{"days": list(range(7)), "start": 540, "end": 1200}]
    assert would_have(tenant, heard, schedule=from_nine)[0] == (3640, 5000)


def test_it_moves_the_due_time_of_a_vehicle_that_spoke_meanwhile(rule, vehicle, now):
    hear(vehicle, now)
    sweep(now)
    hear(vehicle, now + timedelta(seconds=200))
    sweep(now + timedelta(seconds=301))
    assert not Alert.unscoped.exists()
    assert SilenceWatch.unscoped.get().due_at == now + timedelta(seconds=500)


def test_it_hears_a_device_that_sends_an_old_backlog(rule, vehicle, now):
    hear(vehicle, now)
    sweep(now)
    device = Device.objects.create(
        tenant_id=vehicle.tenant_id, reference="D1", name="D1", vehicle=vehicle
    )
    DeviceHealth.objects.create(
        device_id=device.pk, tenant_id=vehicle.tenant_id, last_seen=now + timedelta(seconds=290)
    )
    sweep(now + timedelta(seconds=310))
    assert not Alert.unscoped.exists()


def test_it_does_not_call_a_vehicle_silent_while_ingestion_is_behind(rule, vehicle, now):
    long_ago = now - timedelta(seconds=400)
    hear(vehicle, long_ago)
    book = RuleBook()
    silence.sync_watches(book)
    INGRESS.append(0, b"waiting", 1)
    # Whatever arrived from now on is not in the database yet.
    silence.sweep(book, now=now + timedelta(seconds=1000))
    opened = Alert.unscoped.get()
    assert opened.opened_at == long_ago + timedelta(seconds=300)
    fresh = make_vehicle(vehicle.fleet, "V2")
    hear(fresh, now)
    silence.sync_watches(book)
    silence.sweep(book, now=now + timedelta(seconds=1000))
    assert Alert.unscoped.count() == 1


def test_it_sweeps_twice_without_doing_anything_twice(rule, vehicle, now):
    hear(vehicle, now)
    for _ in range(3):
        sweep(now + timedelta(seconds=310))
    assert Alert.unscoped.count() == 1


def test_it_forgets_a_vehicle_that_was_archived(rule, vehicle, now):
    hear(vehicle, now)
    sweep(now)
    vehicle.archived_at = now
    vehicle.save()
    sweep(now + timedelta(seconds=310))
    assert not Alert.unscoped.exists() and not SilenceWatch.unscoped.exists()


def test_it_finds_due_vehicles_by_the_index_alone(rule, fleet, now):
    SilenceWatch.unscoped.bulk_create(
        SilenceWatch(
            tenant_id=fleet.tenant_id,
            rule=rule,
            kind="v",
            subject_id=n,
            heard_at=now,
            due_at=now + timedelta(seconds=300 + n % 300),
        )
        for n in range(20_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE alerts_silencewatch")
        cursor.execute("EXPLAIN " + silence._DUE, [now + timedelta(seconds=301), 2000])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "silence_due" in plan and "Seq Scan on alerts_silencewatch" not in plan


def test_it_tells_staff_when_ingestion_is_behind(now, django_user_model):
    staff = Organisation.objects.create(name="Outrider", slug="platform")
    ensure_starting_rules(staff)
    book = RuleBook()
    platform.watch_lag(book, now=now, lag_s=31)
    alert = Alert.unscoped.get()
    assert (alert.tenant, alert.severity) == (staff, "critical")
    assert alert.values == {"ingest_lag_s": 31}
    for seconds in (1, 20, 40):
        platform.watch_lag(book, now=now + timedelta(seconds=seconds), lag_s=1)
    alert.refresh_from_db()
    assert alert.state == "resolved"


def test_it_measures_the_lag_on_the_ingress_log(now):
    assert platform.measure_lag(timezone.now()) == 0
    INGRESS.append(0, b"waiting", 1)
    assert platform.measure_lag(timezone.now() + timedelta(seconds=40)) == pytest.approx(40, abs=1)


def test_it_gives_every_new_organisation_its_starting_rules_once(tenant, owner):
    rules = ensure_starting_rules(tenant)
    assert [rule.name for rule in rules] == [
        "Low charge",
        "Speeding",
        "Battery too hot",
        "No telemetry",
    ]
    assert ensure_starting_rules(tenant) == []
