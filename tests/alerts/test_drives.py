"""Twelve real drives through the starting rules. The list is in docs/rules/drives.md."""

from __future__ import annotations

import os
import random
import threading
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from django.utils import timezone

from alerts import evaluation, silence
from alerts.correction import correct_due
from alerts.models import Alert, Delivery, LateSpan, SubjectMemory
from alerts.rulebook import RuleBook
from alerts.starting import STARTING_RULES
from telemetry.adapters.telemetry_v1 import Reader
from telemetry.clock import from_us, to_us
from telemetry.envelope import Envelope, Speaker
from telemetry.models import VehicleHour, VehicleLatest, VehicleReadingRow
from telemetry.records import VehicleReading
from telemetry.replay.mapping import load, readings
from telemetry.replay.recording import Recording
from telemetry.storage.connection import connect
from telemetry.streams import INGRESS, STORED, encode_readings, partition_of
from telemetry.validate import Limits
from telemetry.verification import Verification
from telemetry.writer import Writer
from tests.alerts.conftest import make_hook, make_rule, make_vehicle

ROOT = Path(__file__).resolve().parents[2]
DRIVES = Path(os.environ.get("OUTRIDER_DRIVES", ROOT.parent / "shared" / "data" / "twizy"))

pytestmark = pytest.mark.skipif(
    not DRIVES.is_dir(), reason="the recorded drives are not here (OUTRIDER_DRIVES)"
)


def drive(path, vehicle):
    """The readings of a file as the server takes them in, each 50 ms after its own time."""
    mapping = load(ROOT / "telemetry" / "mappings" / "twizy.toml")
    envelope = Envelope(Speaker(vehicle.tenant_id, None, "v", vehicle.pk), "telemetry.v1")
    reader = Reader(envelope, "json", Limits(ahead_us=300_000_000, kept_days=100_000))
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


FIRST = to_us(timezone.now())
"""When the first reading of a late replay arrives: years after the drives."""


@pytest.fixture
def drives(yard):
    for name, definition in (STARTING_RULES | STRICTER).items():
        make_rule(yard.tenant, name, definition)
    make_hook(yard.tenant, "https://example.com/hook")
    return [
        reading
        for path in sorted(DRIVES.glob("*.csv.gz"))
        for reading in drive(path, make_vehicle(yard, path.name.split(".")[0]))
    ]


def take_in(readings):
    """From the ingress log through the writer into TimescaleDB, and on to the evaluation."""
    for first in range(0, len(readings), 500):
        by_partition = {}
        for reading in readings[first : first + 500]:
            by_partition.setdefault(partition_of("v", reading.vehicle_id), []).append(reading)
        for partition, mine in by_partition.items():
            INGRESS.append(partition, encode_readings(mine), len(mine))
    Writer().run(threading.Event(), once=True)
    evaluation.evaluate(for_seconds=0.5)
    while sum(STORED.lag(p, evaluation.GROUP).entries for p in range(STORED.partitions)):
        evaluation.evaluate(for_seconds=0.5)


def fall_silent():
    """The drives are over: nothing was heard since."""
    book = RuleBook()
    silence.sync_watches(book)
    silence.sweep(book, now=timezone.now())


def seen(alert):
    return ", ".join(f"{name} {value}" for name, value in alert.values.items()) or "–"


def raised(**which):
    alerts = Alert.unscoped.filter(**which).select_related("rule")
    return [
        f"| {a.subject_reference} | {a.rule.name} | {a.started_at:%Y-%m-%d %H:%M:%S} "
        f"| {a.opened_at:%Y-%m-%d %H:%M:%S} | {seen(a)} "
        f"| {'' if a.resolved_at is None else f'{a.resolved_at:%Y-%m-%d %H:%M:%S}'} |"
        for a in alerts.order_by("subject_reference", "opened_at")
    ]


def history():
    """What is stored of the drives, but for when it arrived and how late that was."""
    rows = VehicleReadingRow.objects.order_by("vehicle_id", "time", "reading_id").values()
    hours = VehicleHour.objects.order_by("vehicle_id", "hour").values()
    return [
        {name: value for name, value in row.items() if name not in ("received_at", "late")}
        for row in (*rows, *hours)
    ]


def test_it_raises_what_the_documentation_says(drives):
    take_in(drives)
    fall_silent()
    documented = (ROOT / "docs" / "rules" / "drives.md").read_text().splitlines()
    assert raised() == [line for line in documented if line.startswith("| T")]
    assert Delivery.unscoped.filter(event="alert.opened").count() == Alert.unscoped.count()


def test_it_has_the_same_history_and_tells_nobody_when_they_come_shuffled_and_late(
    drives, committed
):
    take_in(drives)
    alerts, stored = raised(), history()
    assert Delivery.unscoped.exists()
    for one in (VehicleReadingRow, VehicleHour, VehicleLatest, SubjectMemory, Delivery, Alert):
        one._base_manager.all().delete()
    evaluation._partitions.clear()
    random.Random(7).shuffle(drives)
    late = [
        msgspec.structs.replace(reading, received_at=FIRST + n * 1000)
        for n, reading in enumerate(drives)
    ]
    take_in(late)
    # The backlog has settled.
    assert correct_due(RuleBook(), now=timezone.now() + timedelta(hours=1), for_seconds=120) == 12
    evaluation.evaluate(for_seconds=0.2)
    assert history() == stored
    assert raised(late=True) == alerts
    assert not Alert.unscoped.filter(late=False).exists()
    assert not Delivery.unscoped.exists()
    assert not LateSpan.objects.exists()
    with connect("outrider tests") as checking:
        assert list(Verification(checking).differences()) == []
