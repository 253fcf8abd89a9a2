"""Workers are killed, for real, in the middle of evaluating and in the middle of delivering."""

from __future__ import annotations

import email
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from alerts import evaluation
from alerts.engine.program import compile_program
from alerts.engine.run import advance
from alerts.engine.sensor import Surroundings
from alerts.engine.state import SubjectState
from alerts.evaluation import GROUP
from alerts.models import AlertTransition, Channel, Delivery
from telemetry.clock import from_us
from telemetry.streams import STORED
from tests import databases
from tests.alerts.conftest import make_hook, make_rule, make_vehicle, reading_of, store
from tests.alerts.receivers import Mailbox, Receiver

pytestmark = pytest.mark.crash

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = {
    "kind": "threshold",
    "params": {"conditions": [{"metric": "speed_kmh", "op": ">", "value": 120}]},
    "duration_s": 2,
    "lateness_s": 3600,
}


@pytest.fixture
def rule(yard):
    return make_rule(yard.tenant, "Speeding", DEFINITION)


@pytest.fixture
def worker():
    """Starts processes that run one line of ours against the test's database and logs."""
    started = []

    def start(line, **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", f"import django; django.setup(); {line}"],
            cwd=ROOT,
            env=os.environ
            | {"DATABASE_URL": databases.url(), "DJANGO_SETTINGS_MODULE": "config.settings"}
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


@pytest.fixture
def mail():
    mailbox = Mailbox()
    mailbox.controller.start()
    yield mailbox
    mailbox.controller.stop()


def time_passes():
    """Claims of the dead run out, and what is to be tried again later is due."""
    claimed = Delivery.unscoped.filter(status="sending")
    claimed.update(claimed_until=timezone.now() - timedelta(seconds=1))
    Delivery.unscoped.update(due_at=timezone.now() - timedelta(seconds=1))
    Channel.unscoped.update(failures=0, paused_until=None)


def test_each_alert_arrives_once_though_workers_are_killed_while_sending(yard, rule, worker, mail):
    """To an HTTP receiver that fails, hangs, redirects and recovers, and to a mail server that
    takes a message and whose answer nobody hears."""
    with Receiver() as receiver:
        environment = {
            "ALERTS_ALLOW_PRIVATE_WEBHOOKS": "true",
            "EMAIL_URL": f"smtp://127.0.0.1:{mail.port}",
        }
        make_hook(yard.tenant, receiver.url)
        Channel.objects.create(
            tenant=yard.tenant, name="Mail", kind="email", address="x@example.org", is_default=True
        )
        for n in range(6):
            vehicle = make_vehicle(yard, f"K{n}")
            store(*(reading_of(vehicle, ago=9 - s, rid=s, speed_kmh=140.0) for s in range(5)))
        evaluation.evaluate(for_seconds=0.5)
        keys = dict(Delivery.unscoped.values_list("key", "channel__kind"))
        assert len(keys) == 12
        mail.delay = 2.0
        for mode in ("failing", "hanging", "redirecting", "ok"):
            receiver.mode = mode
            called, mailed = len(receiver.requests), len(mail.messages)
            doomed = worker(DELIVER, **environment)
            wait_until(
                lambda called=called, mailed=mailed: (
                    len(receiver.requests) > called and len(mail.messages) > mailed
                )
            )
            kill(doomed)
            assert Delivery.unscoped.filter(status="sending").exists()
            time_passes()
        mail.delay = 0.0
        while Delivery.unscoped.exclude(status="sent").exists():
            assert worker(DELIVER, **environment).wait(60) == 0
            time_passes()
    hooked = [headers["webhook-id"] for _, headers, _ in receiver.requests]
    assert set(hooked) == {str(key) for key, kind in keys.items() if kind == "webhook"}
    assert len({(h["webhook-id"], body) for _, h, body in receiver.requests}) == 6
    mails = [email.message_from_bytes(one)["Message-ID"] for one in mail.messages]
    assert set(mails) == {f"<{key}@outrider>" for key, kind in keys.items() if kind == "email"}
    # They were killed in time: some of both had to be sent again.
    assert len(hooked) > 6 and len(mails) > 6
    assert set(Delivery.unscoped.values_list("key", flat=True)) == set(keys)
