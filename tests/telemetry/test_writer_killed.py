"""SIGKILL of the writer, again and again, under load: nothing lost, nothing doubled."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from django.conf import settings

from telemetry.models import VehicleHour, VehicleReadingRow
from telemetry.storage.connection import connect
from telemetry.streams import INGRESS, STORED, decode_readings, encode_readings, partition_of
from telemetry.verification import Verification
from tests import databases
from tests.telemetry.readings import SECOND, T0, vehicle_reading

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("committed", "empty_logs")]

KILLS = 5


def start_writer():
    """The real command, against the database and the keys of this test."""
    environment = {
        **os.environ,
        "DATABASE_URL": databases.url(),
        "REDIS_PREFIX": settings.REDIS_PREFIX,
    }
    for ours_alone in ("PYTEST_VERSION", "OUTRIDER_PROCESS"):
        environment.pop(ours_alone, None)
    return subprocess.Popen(
        [sys.executable, "manage.py", "run_writer"],
        env=environment,
        cwd=settings.BASE_DIR,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def append(readings):
    by_partition = {}
    for reading in readings:
        by_partition.setdefault(partition_of("v", reading.vehicle_id), []).append(reading)
    for partition, some in by_partition.items():
        INGRESS.append(partition, encode_readings(some), len(some))


def waiting():
    return sum(INGRESS.depth(p).entries for p in range(settings.TELEMETRY_PARTITIONS))


def published():
    found = []
    for partition in range(settings.TELEMETRY_PARTITIONS):
        STORED.ensure_group(partition, "test")
        while entries := STORED.read(partition, "test", count=500, block_ms=1):
            for entry in entries:
                found += decode_readings(entry.payload)
    return found


def until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "too slow"
        time.sleep(0.02)


def test_a_writer_killed_in_the_middle_of_a_load_loses_and_doubles_nothing():
    rng = random.Random(11)
    for partition in range(settings.TELEMETRY_PARTITIONS):
        STORED.ensure_group(partition, "live")
    sent, writers = [], []
    try:
        for _ in range(KILLS):
            writer = start_writer()
            writers.append(writer)
            stored_before = VehicleReadingRow.objects.count()

            def load():
                batch = [
                    vehicle_reading(rng.randrange(1, 40), at=T0 + rng.randrange(9000) * SECOND,
                                    soc_pct=rng.uniform(0, 100), speed_kmh=rng.uniform(0, 150))
                    for _ in range(200)
                ]  # fmt: skip
                sent.extend(batch)
                append(batch + rng.sample(sent, 20))

            def is_writing(before=stored_before):
                load()
                return VehicleReadingRow.objects.count() > before

            until(is_writing, 60)
            time.sleep(rng.uniform(0, 0.15))
            load()
            writer.send_signal(signal.SIGKILL)
            writer.wait(10)
        last = start_writer()
        writers.append(last)
        until(lambda: waiting() == 0, 60)
        last.terminate()
        assert last.wait(20) == 0
    finally:
        for writer in writers:
            if writer.poll() is None:
                writer.kill()
                writer.wait(10)
    expected = {(r.vehicle_id, r.time, r.reading_id) for r in sent}
    stored = Counter(
        (v, int(t.timestamp()) * SECOND, r)
        for v, t, r in VehicleReadingRow.objects.values_list("vehicle_id", "time", "reading_id")
    )
    assert set(stored) == expected and set(stored.values()) == {1}
    assert {(r.vehicle_id, r.time, r.reading_id) for r in published()} == expected
    assert sum(VehicleHour.objects.values_list("readings", flat=True)) == len(expected)
    for partition in range(settings.TELEMETRY_PARTITIONS):
        STORED.forget_group(partition, "test")
    with connect("outrider tests") as checking:
        assert list(Verification(checking).differences()) == []
