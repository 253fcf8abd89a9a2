"""Workers are killed, for real, in the middle of evaluating and in the middle of delivering."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from alerts import channels
from alerts.engine.clock import from_us
from alerts.engine.program import advance, compile_program
from alerts.engine.sensor import Surroundings
from alerts.engine.spec import decode_spec, encode_spec
from alerts.engine.state import SubjectState
from alerts.evaluation import GROUP
from alerts.models import Alert, AlertTransition, Channel, Delivery, Rule, RuleVersion
from fleet.models import Fleet, Vehicle
from telemetry.streams import STORED
from tenants.models import Organisation
from tests.alerts.conftest import make_vehicle, reading_of, store
from tests.alerts.receivers import Receiver

pytestmark = pytest.mark.crash

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = {
    "kind": "threshold",
    "params": {"conditions": [{"metric": "speed_kmh", "op": ">", "value": 120}]},
    "duration_s": 2,
    "lateness_s": 3600,
}


@pytest.fixture
def committed(django_db_setup, django_db_blocker):
    """Rows that other processes see, taken away again. Not by Django's flush: it would empty
    the audit trail as well, which its trigger forbids."""
    tables = ", ".join(model._meta.db_table for model in apps.get_app_config("alerts").get_models())
    with django_db_blocker.unblock():
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {tables}")
        mine = Organisation.objects.filter(slug__startswith="killed-")
        Vehicle.unscoped.filter(tenant__in=mine).delete()
        Fleet.unscoped.filter(tenant__in=mine).delete()
        mine.delete()


@pytest.fixture
def yard(committed):
    slug = f"killed-{secrets.token_hex(4)}"
    tenant = Organisation.objects.create(name=slug, slug=slug)
    return Fleet.objects.create(tenant=tenant, reference="yard", name="Yard")


@pytest.fixture
def rule(yard):
    rule = Rule.objects.create(tenant=yard.tenant, name="Speeding")
    rule.current = RuleVersion.objects.create(
        tenant=yard.tenant,
        rule=rule,
        number=1,
        kind="threshold",
        definition=encode_spec(decode_spec(DEFINITION)),
        created_by="test",
    )
    rule.save()
    return rule


@pytest.fixture
def worker():
    """Starts processes that run one line of ours against the test's database and logs."""
    started = []

    def start(line, **environment):
        database = connection.settings_dict
        url = (
            f"postgres://{database['USER']}:{database['PASSWORD']}"
            f"@{database['HOST']}:{database['PORT']}/{database['NAME']}"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", f"import django; django.setup(); {line}"],
            cwd=ROOT,
            env=os.environ
            | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings"}
            | environment,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def wait_until(happened, *, seconds=60):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def episodes_of(readings, rule):
    """What one undisturbed pass of the engine makes of them."""
    program = compile_program(
        "v",
        [(rule.pk, rule.current.spec)],
        time_zone="UTC",
        surroundings=Surroundings(),
    )
    _, transitions = advance(program, SubjectState(), readings)
    return sorted((t.change, from_us(t.started), from_us(t.at)) for t in transitions)


EVALUATE = "from alerts.evaluation import evaluate; evaluate(for_seconds={})"


def test_it_loses_and_doubles_no_alert_when_evaluations_are_killed(yard, rule, worker):
    vehicles = [make_vehicle(yard, f"K{n}") for n in range(20)]
    sent = {vehicle.pk: [] for vehicle in vehicles}

    def drive(first, last):
        for second in range(first, last):
            speed = 140.0 if second % 20 < 8 else 60.0
            batch = [reading_of(v, ago=600 - second, rid=second, speed_kmh=speed) for v in vehicles]
            for vehicle, reading in zip(vehicles, batch, strict=True):
                sent[vehicle.pk].append(reading)
            store(*batch)

    for kills in range(2):
        doomed = worker(EVALUATE.format(120), ALERTS_CHECKPOINT_S=["3600", "0.2"][kills])
        before = AlertTransition.unscoped.count()
        drive(kills * 100, kills * 100 + 50)
        wait_until(lambda before=before: AlertTransition.unscoped.count() > before)
        kill(doomed)
        drive(kills * 100 + 50, kills * 100 + 100)
    last = worker(EVALUATE.format(8))
    last.wait(90)
    assert sum(STORED.lag(p, GROUP).entries for p in range(STORED.partitions)) == 0
    for vehicle in vehicles:
        steps = AlertTransition.unscoped.filter(alert__subject_id=vehicle.pk)
        found = sorted(steps.values_list("change", "alert__started_at", "reading_time"))
        assert found == episodes_of(sent[vehicle.pk], rule)


DELIVER = "from alerts.delivering import deliver_all_due; deliver_all_due(for_seconds=20)"


def test_it_sends_again_recognisably_when_a_worker_is_killed_while_sending(yard, worker):
    with Receiver() as receiver:
        channel = Channel(tenant=yard.tenant, name="Hook", kind="webhook", address=receiver.url)
        channels._seal(channel, channels.Sealed(channels.new_signing_secret()))
        channel.save()
        payload = {"type": "test", "timestamp": "", "data": {"severity": "low"}}
        Delivery.objects.create(
            tenant=yard.tenant,
            channel=channel,
            event="test",
            due_at=timezone.now(),
            payload=payload,
        )
        receiver.mode = "hanging"
        doomed = worker(DELIVER, ALERTS_ALLOW_PRIVATE_WEBHOOKS="true")
        wait_until(lambda: receiver.requests)
        kill(doomed)
        assert Delivery.unscoped.get().status == "sending"
        receiver.mode = "ok"
        # The claim runs out by itself, after a minute.
        Delivery.unscoped.update(claimed_until=timezone.now())
        worker(DELIVER, ALERTS_ALLOW_PRIVATE_WEBHOOKS="true").wait(60)
        assert Delivery.unscoped.get().status == "sent"
        assert len(receiver.requests) == 2
        assert len({headers["webhook-id"] for _, headers, _ in receiver.requests}) == 1
        assert Alert.unscoped.count() == 0
