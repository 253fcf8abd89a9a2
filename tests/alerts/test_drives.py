"""Twelve real drives through the starting rules. The list is in docs/rules/drives.md."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from django.utils import timezone

from alerts import evaluation, silence
from alerts.engine.clock import from_us, to_us
from alerts.models import Alert, Delivery
from alerts.rulebook import RuleBook
from alerts.rules import create_rule
from alerts.starting import ensure_starting_rules
from telemetry.adapters.telemetry_v1 import Reader
from telemetry.envelope import Envelope, Speaker
from telemetry.models import VehicleLatest
from telemetry.records import VehicleReading
from telemetry.replay.mapping import load, readings
from telemetry.replay.recording import Recording
from telemetry.streams import STORED
from tests.alerts.conftest import make_vehicle, store

ROOT = Path(__file__).resolve().parents[2]
DRIVES = Path(os.environ.get("OUTRIDER_DRIVES", ROOT.parent / "shared" / "data" / "twizy"))

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not DRIVES.is_dir(), reason="the recorded drives are not here"),
]


def drive(path, vehicle):
    """The readings of a file as the server takes them in, each 50 ms after its own time."""
    mapping = load(ROOT / "telemetry" / "mappings" / "twizy.toml")
    envelope = Envelope(Speaker(vehicle.tenant_id, None, "v", vehicle.pk), "telemetry.v1")
    reader = Reader(envelope, "json", 300_000_000)
    decode = msgspec.msgpack.Decoder(VehicleReading).decode
    taken = {}
    with Recording(path, mapping).opened() as (header, rows):
        for sent in readings(rows, header, mapping, timedelta(0)):
            records, *_ = reader.read(msgspec.json.encode(sent), to_us(from_us(2 * 10**15)))
            for record in records:
                reading = decode(record)
                reading = msgspec.structs.replace(reading, received_at=reading.time + 50_000)
                taken[reading.time, reading.reading_id] = reading
    return list(taken.values())


STRICTER = {
    "Charge under 20 %": {
        "kind": "threshold",
        "params": {"conditions": [{"metric": "soc_pct", "op": "<", "value": 20, "clear": 22}]},
        "duration_s": 60,
    },
    "Faster than 75 km/h": {
        "kind": "threshold",
        "params": {"conditions": [{"metric": "speed_kmh", "op": ">", "value": 75, "clear": 70}]},
        "duration_s": 5,
        "clear_duration_s": 10,
        "cooldown_s": 60,
    },
}
"""The drives are tame: the starting rules find nothing but their ends. So these as well."""


@pytest.fixture
def drives(fleet, owner, actor):
    ensure_starting_rules(fleet.tenant)
    for name, definition in STRICTER.items():
        create_rule(actor=actor, name=name, definition=definition)
    return {
        path.name.split(".")[0]: drive(path, make_vehicle(fleet, path.name.split(".")[0]))
        for path in sorted(DRIVES.glob("*.csv.gz"))
    }


def evaluate_all():
    evaluation.evaluate(for_seconds=0.5)
    while sum(STORED.lag(p, evaluation.GROUP).entries for p in range(STORED.partitions)):
        evaluation.evaluate(for_seconds=0.5)


def fall_silent(drives):
    """The drives are over: nothing was heard since."""
    for taken in drives.values():
        last = max(taken, key=lambda reading: reading.time)
        VehicleLatest.objects.create(
            vehicle_id=last.vehicle_id,
            tenant_id=last.tenant_id,
            time=from_us(last.time),
            received_at=from_us(last.received_at),
            reading_id=last.reading_id,
            protocol=last.protocol,
        )
    book = RuleBook()
    silence.sync_watches(book)
    silence.sweep(book, now=timezone.now())


def seen(alert):
    return ", ".join(f"{name} {value}" for name, value in alert.values.items()) or "–"


def raised():
    alerts = Alert.unscoped.select_related("rule").order_by("subject_reference", "opened_at")
    return [
        f"| {a.subject_reference} | {a.rule.name} | {a.started_at:%Y-%m-%d %H:%M:%S} "
        f"| {a.opened_at:%Y-%m-%d %H:%M:%S} | {seen(a)} "
        f"| {'' if a.resolved_at is None else f'{a.resolved_at:%Y-%m-%d %H:%M:%S}'} |"
        for a in alerts
    ]


def test_it_raises_what_the_documentation_says(drives):
    for taken in drives.values():
        for first in range(0, len(taken), 500):
            store(*taken[first : first + 500])
    evaluate_all()
    fall_silent(drives)
    documented = (ROOT / "docs" / "rules" / "drives.md").read_text().splitlines()
    assert raised() == [line for line in documented if line.startswith("| T")]


def test_it_tells_nobody_when_the_same_drives_come_shuffled_and_late(drives):
    for taken in drives.values():
        random.Random(7).shuffle(taken)
        arrival = max(reading.time for reading in taken) + 3_600_000_000
        late = [
            msgspec.structs.replace(reading, received_at=arrival + n * 1000)
            for n, reading in enumerate(taken)
        ]
        for first in range(0, len(late), 500):
            store(*late[first : first + 500])
    evaluate_all()
    assert not Delivery.unscoped.exists()
    assert not Alert.unscoped.filter(late=False).exists()
    assert Alert.unscoped.filter(late=True).exists()
