"""From the stored log to an alert: locks, checkpoints, crashes, redelivery."""

import threading

import pytest
from django.db import connection
from django.utils import timezone

from alerts import evaluation, life
from alerts.models import Alert, AlertTransition, Rule, SubjectMemory
from alerts.rulebook import RuleBook
from alerts.rules import archive_rule, create_rule, update_rule
from alerts.tidying import resolve_unwatched
from fleet.models import Fleet
from tests.alerts.conftest import make_vehicle, reading_of, store

pytestmark = pytest.mark.django_db


def threshold(metric="speed_kmh", op=">", value=120, **fields):
    conditions = [{"metric": metric, "op": op, "value": value}]
    return {"kind": "threshold", "params": {"conditions": conditions}, **fields}


@pytest.fixture
def speeding(actor):
    return create_rule(actor=actor, name="Speeding", definition=threshold(severity="high"))


def evaluate():
    return evaluation.evaluate(for_seconds=0.3)


def test_it_opens_an_alert_with_the_reading_that_caused_it(speeding, vehicle, fleet):
    store(reading_of(vehicle, rid=7, speed_kmh=131.0))
    evaluate()
    alert = Alert.unscoped.get()
    assert (alert.rule, alert.subject_id, alert.fleet) == (speeding, vehicle.pk, fleet)
    assert (alert.state, alert.severity, alert.late) == ("open", "high", False)
    assert alert.values == {"speed_kmh": 131.0}
    step = AlertTransition.unscoped.get()
    assert (step.change, step.reading_id, step.actor) == ("opened", 7, None)
    assert step.reading_time == alert.opened_at


def test_it_resolves_the_alert_when_the_condition_is_over(speeding, vehicle):
    store(reading_of(vehicle, ago=2, speed_kmh=131.0), reading_of(vehicle, ago=1, speed_kmh=90.0))
    evaluate()
    alert = Alert.unscoped.get()
    assert alert.state == "resolved" and alert.resolved_by == ""
    assert [s.change for s in alert.transitions.order_by("id")] == ["opened", "resolved"]


def test_it_changes_nothing_when_everything_is_delivered_again(speeding, vehicle):
    readings = [reading_of(vehicle, ago=9 - n, speed_kmh=130.0 - 20 * (n % 3)) for n in range(9)]
    store(*readings)
    evaluate()
    before = list(AlertTransition.unscoped.order_by("id").values_list("change", "reading_time"))
    assert before
    store(*readings)
    store(*readings[3:6])
    evaluate()
    after = list(AlertTransition.unscoped.order_by("id").values_list("change", "reading_time"))
    assert after == before


def test_it_goes_on_where_a_crash_left_it(speeding, vehicle, monkeypatch):
    """Killed after the alert was committed, before memory and acknowledgement were."""

    def die(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation.Partition, "checkpoint", die)
    store(reading_of(vehicle, ago=3, speed_kmh=131.0))
    with pytest.raises(KeyboardInterrupt):
        evaluate()
    assert Alert.unscoped.count() == 1
    assert not SubjectMemory.objects.exists()
    monkeypatch.undo()
    evaluation._partitions.clear()  # a new process knows nothing
    store(reading_of(vehicle, ago=1, speed_kmh=80.0))
    evaluate()
    assert Alert.unscoped.get().state == "resolved"
    assert AlertTransition.unscoped.count() == 2


def test_it_loses_nothing_when_it_dies_before_the_alert_is_committed(
    speeding, vehicle, monkeypatch
):
    def die(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "commit", die)
    store(reading_of(vehicle, ago=3, speed_kmh=131.0))
    with pytest.raises(KeyboardInterrupt):
        evaluate()
    assert not Alert.unscoped.exists()
    monkeypatch.undo()
    evaluation._partitions.clear()
    evaluate()
    assert Alert.unscoped.get().state == "open"


def test_it_believes_nothing_that_another_process_may_have_changed(speeding, vehicle, monkeypatch):
    store(reading_of(vehicle, ago=5, speed_kmh=131.0))
    evaluate()
    mine = dict(evaluation._partitions)
    # Another process goes on: the alert resolves there.
    evaluation._partitions.clear()
    monkeypatch.setattr(evaluation, "_PROCESS", "00000000-0000-4000-8000-000000000001")
    store(reading_of(vehicle, ago=4, speed_kmh=80.0))
    evaluate()
    # And the first one again, with what it remembered: an open alert.
    monkeypatch.undo()
    evaluation._partitions.update(mine)
    store(reading_of(vehicle, ago=3, speed_kmh=140.0))
    evaluate()
    assert [a.state for a in Alert.unscoped.order_by("opened_at")] == ["resolved", "open"]


def test_it_leaves_partitions_alone_that_somebody_else_evaluates(speeding, vehicle):
    held = threading.Event()
    done = threading.Event()

    def other_worker():
        for number in range(evaluation.STORED.partitions):
            assert evaluation._lock(number)
        held.set()
        done.wait(10)
        for number in range(evaluation.STORED.partitions):
            evaluation._unlock(number)
        connection.close()

    thread = threading.Thread(target=other_worker)
    thread.start()
    assert held.wait(10)
    store(reading_of(vehicle, speed_kmh=131.0))
    assert evaluate() == 0
    assert not Alert.unscoped.exists()
    done.set()
    thread.join()
    assert evaluate() == evaluation.STORED.partitions
    assert Alert.unscoped.exists()


def test_it_opens_one_alert_while_one_is_open(speeding, vehicle, actor):
    store(reading_of(vehicle, ago=5, speed_kmh=131.0))
    evaluate()
    life.acknowledge(actor=actor, alerts=[Alert.unscoped.get()])
    store(reading_of(vehicle, ago=4, speed_kmh=150.0))
    evaluate()
    assert Alert.unscoped.get().state == "acknowledged"


def test_it_does_not_reopen_what_was_resolved_by_hand_until_it_was_over(speeding, vehicle, actor):
    store(reading_of(vehicle, ago=9, speed_kmh=131.0))
    evaluate()
    life.resolve(actor=actor, alerts=[Alert.unscoped.get()], note="known")
    store(reading_of(vehicle, ago=8, speed_kmh=132.0))
    evaluate()
    assert Alert.unscoped.count() == 1
    store(reading_of(vehicle, ago=7, speed_kmh=80.0), reading_of(vehicle, ago=6, speed_kmh=133.0))
    evaluate()
    assert Alert.unscoped.count() == 2
    assert Alert.unscoped.filter(resolved_by="owner@acme.example").count() == 1


def test_it_marks_what_a_backlog_opens_as_late(speeding, vehicle):
    store(reading_of(vehicle, ago=7200, late=7000, speed_kmh=131.0))
    evaluate()
    assert Alert.unscoped.get().late is True


def test_it_takes_a_rule_up_at_once_and_forgets_one_that_is_switched_off(speeding, vehicle, actor):
    store(reading_of(vehicle, ago=5, speed_kmh=131.0))
    evaluate()
    update_rule(actor=actor, rule=speeding, enabled=False)
    assert Alert.unscoped.get().state == "resolved"
    store(reading_of(vehicle, ago=4, speed_kmh=141.0))
    evaluate()
    assert Alert.unscoped.count() == 1


def test_it_keeps_the_version_that_opened_an_alert(speeding, vehicle, actor):
    store(reading_of(vehicle, ago=5, speed_kmh=131.0))
    evaluate()
    update_rule(actor=actor, rule=speeding, definition=threshold(value=200))
    store(reading_of(vehicle, ago=4, speed_kmh=150.0))
    evaluate()
    alert = Alert.unscoped.get()
    assert alert.rule_version.number == 1 and alert.state == "resolved"
    assert Rule.unscoped.get().current.number == 2


def test_it_disables_a_rule_that_fails_and_goes_on_with_the_others(
    speeding, vehicle, actor, monkeypatch
):
    broken = create_rule(
        actor=actor,
        name="Fence",
        definition={"kind": "device_alarm", "params": {}},
    )
    # Written by another release, as it were: this one cannot compile it.
    version = broken.current
    version.definition = {
        "kind": "geofence",
        "params": {"geofences": [999999], "event": "enter"},
    }
    version.save()
    store(reading_of(vehicle, speed_kmh=131.0))
    evaluate()
    broken.refresh_from_db()
    assert broken.enabled is False and "geofence" in broken.disabled_reason
    assert Alert.unscoped.get().rule == speeding


def test_it_watches_only_what_is_in_scope(actor, fleet, vehicle):
    other = Fleet.objects.create(tenant=actor.tenant, reference="south", name="South")
    there = make_vehicle(other, "V2")
    tagged = make_vehicle(other, "V3", tags=["cold chain"])
    definition = threshold(scope={"fleets": [fleet.pk], "tags": ["cold chain"]})
    create_rule(actor=actor, name="Scoped", definition=definition)
    store(*[reading_of(v, speed_kmh=131.0) for v in (vehicle, there, tagged)])
    evaluate()
    assert set(Alert.unscoped.values_list("subject_reference", flat=True)) == {"V1", "V3"}


def test_it_resolves_alerts_of_a_vehicle_that_left_the_scope(speeding, vehicle):
    store(reading_of(vehicle, speed_kmh=131.0))
    evaluate()
    assert resolve_unwatched(RuleBook()) == 0
    vehicle.archived_at = timezone.now()
    vehicle.save()
    assert resolve_unwatched(RuleBook()) == 1
    assert Alert.unscoped.get().state == "resolved"


def test_it_is_not_stopped_by_an_entry_it_cannot_read(speeding, vehicle):
    for partition in range(evaluation.STORED.partitions):
        evaluation.STORED.append(partition, b"\xc1garbage", 1)
    store(reading_of(vehicle, speed_kmh=131.0))
    evaluate()
    assert Alert.unscoped.count() == 1


def test_it_writes_alerts_of_a_whole_fleet_in_a_few_statements(
    speeding, fleet, django_assert_max_num_queries
):
    vehicles = [make_vehicle(fleet, f"W{n}") for n in range(150)]
    store(*[reading_of(v, speed_kmh=131.0) for v in vehicles])
    with django_assert_max_num_queries(100):
        evaluation.evaluate(for_seconds=0.3)
    assert Alert.unscoped.count() == 150


def test_it_records_an_episode_that_a_backlog_tells_of_after_the_fact(speeding, vehicle):
    store(reading_of(vehicle, ago=1, speed_kmh=50.0))
    evaluate()
    backlog = [
        reading_of(vehicle, ago=7200 - n, late=7201, rid=n, speed_kmh=speed)
        for n, speed in ((0, 140.0), (5, 140.0), (10, 60.0))
    ]
    store(*backlog)
    evaluate()
    alert = Alert.unscoped.get()
    assert alert.late and alert.state == "resolved"
    lasted = (alert.resolved_at - alert.started_at).total_seconds()
    assert lasted == pytest.approx(5, abs=0.1)


def test_it_archives_a_rule_and_keeps_its_alerts(speeding, vehicle, actor):
    store(reading_of(vehicle, speed_kmh=131.0))
    evaluate()
    archive_rule(actor=actor, rule=speeding)
    assert Alert.unscoped.get().state == "resolved"
