"""The record after late readings: what history shows, and nobody told."""

import itertools
import random
from datetime import timedelta

import msgspec
import pytest
from django.utils import timezone

from alerts import correction, evaluation, life
from alerts.correction import correct_due
from alerts.models import Alert, Delivery, LateSpan, SubjectMemory
from alerts.rulebook import RuleBook
from alerts.rules import create_rule
from fleet.geofences import Geofence
from telemetry.clock import from_us, to_us
from telemetry.models import VehicleReadingRow
from telemetry.streams import STORED
from tests.alerts.conftest import keep, make_vehicle, reading_of, store

pytestmark = pytest.mark.django_db

_later = itertools.count(1)


def limit(value, **fields):
    condition = {"metric": "speed_kmh", "op": ">", "value": value, "clear": value - 10}
    return {"kind": "threshold", "params": {"conditions": [condition]}, **fields}


def take_in(readings):
    keep(readings)
    for first in range(0, len(readings), 50):
        store(*readings[first : first + 50])
    evaluate()


def evaluate():
    evaluation.evaluate(for_seconds=0.2)
    while sum(STORED.lag(p, evaluation.GROUP).entries for p in range(STORED.partitions)):
        evaluation.evaluate(for_seconds=0.2)


def settle():
    """As if the backlog had come to its end a while ago."""
    corrected = correct_due(RuleBook(), now=timezone.now() + timedelta(hours=1), for_seconds=60)
    evaluation.evaluate(for_seconds=0.1)
    return corrected


def record():
    fields = ("rule__name", "started_at", "opened_at", "resolved_at", "values", "severity")
    return list(Alert.unscoped.order_by("rule__name", "started_at").values_list(*fields))


def late(readings):
    """The same, having arrived one after the other just now, after everything else."""
    arrivals = (to_us(timezone.now()) + next(_later) * 1000 for _ in readings)
    return [
        msgspec.structs.replace(reading, received_at=arrival)
        for reading, arrival in zip(readings, arrivals, strict=True)
    ]


def a_drive(vehicle, seed, *, length=150):
    """Two hours ago: fast and slow, in and out of the fence, charge going down in steps."""
    chance = random.Random(seed)
    speed, charge, readings = 60.0, 80.0, []
    for n in range(length):
        speed = min(160.0, max(0.0, speed + chance.uniform(-25, 25)))
        charge -= chance.choice([0, 0, 0.1, 1.5])
        lat = 0.02 if (n // chance.choice([15, 16])) % 2 else 0.0
        readings.append(
            reading_of(
                vehicle,
                ago=7200 - 3 * n,
                rid=n,
                speed_kmh=speed if chance.random() < 0.8 else None,
                soc_pct=charge,
                lat=lat,
                lon=0.0,
                alarms=("sos",) if chance.random() < 0.05 else None,
            )
        )
    return readings


@pytest.fixture
def rules(actor, tenant):
    circle = {"type": "circle", "centre": [0.0, 0.0], "radius_m": 500}
    fence = Geofence.objects.create(tenant=tenant, reference="g", name="G", shape=circle)
    steep = {"metric": "soc_pct", "op": "<", "per_minute": -8, "window_s": 30}
    both = [
        {"metric": "speed_kmh", "op": ">", "value": 70},
        {"metric": "soc_pct", "op": "<", "value": 60},
    ]
    draining = {"metric": "rate_of_change", "of": "soc_pct", "window_s": 30, "op": "<", "value": -8}
    unheard = {"metric": "age_s", "of": "speed_kmh", "op": ">", "value": 5}
    definitions = {
        "Fast": limit(110),
        "Fast for long": limit(90, duration_s=9, clear_duration_s=6, cooldown_s=30),
        "Enters": {"kind": "geofence", "params": {"geofences": [fence.pk], "event": "enter"}},
        "Dwells": {
            "kind": "geofence",
            "params": {"geofences": [fence.pk], "event": "dwell"},
            "duration_s": 20,
        },
        "Drains": {"kind": "rate_of_change", "params": steep},
        "Both": {"kind": "threshold", "params": {"conditions": both}, "duration_s": 3},
        "Drains fast": {"kind": "threshold", "params": {"conditions": [draining, both[0]]}},
        "No speed": {"kind": "threshold", "params": {"conditions": [unheard]}},
        "Alarm": {"kind": "device_alarm", "params": {}, "clear_duration_s": 10},
    }
    return [create_rule(actor=actor, name=n, definition=d) for n, d in definitions.items()]


@pytest.mark.parametrize("seed", range(4))
def test_it_leaves_the_record_that_readings_in_order_would_have_left(rules, vehicle, seed):
    drive = a_drive(vehicle, seed)
    take_in(drive)
    in_order = record()
    assert {name for name, *_ in in_order} >= {"Fast", "Enters", "Both", "No speed"}
    for one in (Alert, Delivery, VehicleReadingRow, SubjectMemory, LateSpan):
        one._base_manager.all().delete()
    evaluation._partitions.clear()
    random.Random(seed).shuffle(drive)
    take_in(late(drive))
    assert settle() == 1
    assert record() == in_order
    assert not Alert.unscoped.filter(late=False).exists()
    assert not Delivery.unscoped.exists()


def test_it_tells_people_when_what_a_backlog_left_open_is_still_so(actor, vehicle):
    """The open alert that history showed belongs to the evaluation, and lives on in it."""
    create_rule(actor=actor, name="Fast", definition=limit(100, duration_s=60))
    fast = [reading_of(vehicle, ago=400 - n, rid=n, speed_kmh=130.0) for n in range(120)]
    newest, rest = fast[-1], fast[:-1]
    random.Random(3).shuffle(rest)
    take_in(late([newest, *rest]))
    settle()
    alert = Alert.unscoped.get()
    assert (alert.state, alert.late, alert.started_at) == ("open", True, from_us(fast[0].time))
    take_in([reading_of(vehicle, ago=5, rid=900, speed_kmh=131.0)])
    assert not Alert.unscoped.get().late
    take_in([reading_of(vehicle, ago=1, rid=901, speed_kmh=20.0)])
    assert Alert.unscoped.get().state == "resolved"


def test_it_does_not_take_over_what_newer_readings_have_overtaken(actor, vehicle):
    create_rule(actor=actor, name="Fast", definition=limit(100, duration_s=60))
    fast = [reading_of(vehicle, ago=400 - n, rid=n, speed_kmh=130.0) for n in range(120)]
    newest, rest = fast[-1], fast[:-1]
    random.Random(3).shuffle(rest)
    take_in(late([newest, *rest]))
    correct_due(RuleBook(), now=timezone.now() + timedelta(hours=1), for_seconds=60)
    span = LateSpan.objects.get()
    assert span.going_on is not None
    LateSpan.objects.update(going_on=None)
    take_in([reading_of(vehicle, ago=5, rid=900, speed_kmh=10.0)])
    LateSpan.objects.update(going_on=span.going_on)
    evaluate()
    assert not Alert.unscoped.filter(state="open").exists()
    settle()
    alert = Alert.unscoped.get()
    assert (alert.state, alert.late, alert.started_at) == (
        "resolved",
        True,
        from_us(fast[0].time),
    )
    assert not LateSpan.objects.exists()


def test_it_knows_of_what_was_last_heard_long_before_the_late_readings(actor, vehicle):
    """The position was lost ten hours before: history is not read that far back."""
    lost = {"metric": "age_s", "of": "lat", "op": ">", "value": 3600}
    create_rule(
        actor=actor,
        name="Lost",
        definition={"kind": "threshold", "params": {"conditions": [lost]}},
    )
    parked = reading_of(vehicle, ago=43_000, rid=1, lat=52.5, lon=13.4)
    drive = [reading_of(vehicle, ago=7000 - 10 * n, rid=2 + n, speed_kmh=50.0) for n in range(20)]
    found = reading_of(vehicle, ago=6000, rid=90, lat=52.6, lon=13.4)
    take_in([parked])
    take_in([found])
    random.Random(5).shuffle(drive)
    take_in(late(drive))
    settle()
    alert = Alert.unscoped.get()
    first = min(drive, key=lambda one: one.time)
    assert (alert.state, alert.late) == ("resolved", True)
    assert (alert.started_at, alert.resolved_at) == (from_us(first.time), from_us(found.time))
    assert alert.values == {"age_s(lat)": pytest.approx(36_000, abs=60)}


def test_it_sets_right_what_came_in_order_and_was_judged_without_what_was_late(actor, vehicle):
    """The newest readings were in order; their rate and their age were not known rightly."""
    rate = {"metric": "rate_of_change", "of": "soc_pct", "window_s": 60, "op": "<", "value": -8}
    lost = {"metric": "age_s", "of": "lat", "op": ">", "value": 100}
    for name, condition in (("Drains", rate), ("Lost", lost)):
        definition = {"kind": "threshold", "params": {"conditions": [condition]}}
        create_rule(actor=actor, name=name, definition=definition)
    start = reading_of(vehicle, ago=2000, rid=1, soc_pct=80.0, lat=52.5, lon=13.4)
    steep = [reading_of(vehicle, ago=1900 - n, rid=10 + n, soc_pct=70 - n) for n in (0, 40, 50)]
    calm = reading_of(vehicle, ago=1700, rid=90, soc_pct=20.0, lat=52.6, lon=13.4)
    heard = [
        reading_of(vehicle, ago=ago, rid=95, soc_pct=20.0, lat=52.6, lon=13.4)
        for ago in (1930, 1895)
    ]
    take_in(late([start, steep[0], steep[1], steep[2], calm]))
    assert {name for name, *_ in record()} == {"Drains", "Lost"}
    take_in(late(heard))
    settle()
    ((name, started, *_),) = record()
    assert (name, started) == ("Drains", from_us(steep[1].time))


def half_known(vehicle):
    """An alert that was told of, and the readings that show that it began earlier."""
    now = [reading_of(vehicle, ago=1000 - 5 * n, rid=n, speed_kmh=130.0) for n in range(6, 12)]
    now.append(reading_of(vehicle, ago=930, rid=50, speed_kmh=20.0))
    before = [reading_of(vehicle, ago=1000 - 5 * n, rid=n, speed_kmh=130.0) for n in range(6)]
    return now, late(before)


def test_it_never_takes_back_what_somebody_was_told_of(actor, vehicle):
    create_rule(actor=actor, name="Fast", definition=limit(100))
    now, before = half_known(vehicle)
    take_in(now)
    told = Alert.unscoped.get()
    take_in(before)
    settle()
    settle()
    alert = Alert.unscoped.get(late=False)
    assert (alert.started_at, alert.resolved_at) == (told.started_at, told.resolved_at)
    assert alert.transitions.filter(change="annotated").count() >= 1
    assert Alert.unscoped.count() == 1


def wrongly_recorded(actor, vehicle):
    """Two fast moments an hour ago look like a minute of speeding, until the rest arrives."""
    create_rule(actor=actor, name="Fast", definition=limit(100, duration_s=30))
    take_in([reading_of(vehicle, ago=1, rid=1, speed_kmh=20.0)])
    ends = [reading_of(vehicle, ago=4000 - n, rid=10 + n, speed_kmh=130.0) for n in (0, 60)]
    take_in(late(ends))
    alert = Alert.unscoped.get()
    assert alert.late
    between = [reading_of(vehicle, ago=3990 - n, rid=20 + n, speed_kmh=30.0) for n in (0, 20)]
    return alert, late(between)


def test_it_takes_back_a_late_alert_that_history_does_not_bear_out(actor, vehicle):
    _, between = wrongly_recorded(actor, vehicle)
    take_in(between)
    settle()
    assert not Alert.unscoped.exists()


def test_it_keeps_and_marks_one_that_somebody_has_written_about(actor, vehicle):
    alert, between = wrongly_recorded(actor, vehicle)
    life.add_note(actor=actor, alert=alert, text="Asked the driver.")
    take_in(between)
    settle()
    settle()
    notes = Alert.unscoped.get().transitions.values_list("note", flat=True)
    assert list(notes).count("not_in_history") == 1


def test_it_waits_while_more_is_coming_and_does_not_forget_it(rules, vehicle, monkeypatch):
    drive = a_drive(vehicle, 1)
    random.Random(1).shuffle(drive)
    take_in(late(drive[:75]))
    assert correct_due(RuleBook(), now=timezone.now(), for_seconds=60) == 0
    real = correction.episodes_of

    def interrupted(*args, **kwargs):
        monkeypatch.setattr(correction, "episodes_of", real)
        take_in(late(drive[75:]))
        return real(*args, **kwargs)

    monkeypatch.setattr(correction, "episodes_of", interrupted)
    assert settle() == 2
    assert not LateSpan.objects.exists()


def test_it_goes_on_with_the_others_when_one_fails(actor, fleet, monkeypatch):
    create_rule(actor=actor, name="Fast", definition=limit(100))
    vehicles = [make_vehicle(fleet, f"L{n}") for n in range(3)]
    for vehicle in vehicles:
        drive = a_drive(vehicle, 2, length=20)
        random.Random(2).shuffle(drive)
        take_in(late(drive))
    real = correction._beginning

    def failing(subject, *args):
        if subject[1] == vehicles[0].pk:
            raise RuntimeError("broken")
        return real(subject, *args)

    monkeypatch.setattr(correction, "_beginning", failing)
    assert settle() == 2
    assert LateSpan.objects.get().subject_id == vehicles[0].pk
    monkeypatch.undo()
    LateSpan.objects.update(due_at=timezone.now())
    assert settle() == 1
