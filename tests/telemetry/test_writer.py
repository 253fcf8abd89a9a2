"""From the ingress log to the tables and on to the stored log."""

import threading
import time

import psycopg
import pytest
from django.conf import settings
from django.db import connection as django_connection

from telemetry import quarantine as quarantine_module
from telemetry import writer as writer_module
from telemetry.models import (
    DeviceHealth,
    QuarantinedFrame,
    VehicleHour,
    VehicleLatest,
    VehicleReadingRow,
)
from telemetry.ownership import Ownership
from telemetry.quarantine import replay
from telemetry.storage.connection import connect
from telemetry.streams import INGRESS, STORED, decode_readings, encode_readings, partition_of
from telemetry.writer import GROUP, Writer
from tests.telemetry.readings import SECOND, T0, vehicle_reading

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")


def append(*readings):
    by_partition = {}
    for reading in readings:
        by_partition.setdefault(partition_of("v", reading.vehicle_id), []).append(reading)
    for partition, some in by_partition.items():
        INGRESS.append(partition, encode_readings(some), len(some))


def write_all():
    Writer().run(threading.Event(), once=True)


def published():
    found = []
    for partition in range(settings.TELEMETRY_PARTITIONS):
        STORED.ensure_group(partition, "test")
        for entry in STORED.read(partition, "test", count=1000, block_ms=1):
            found += decode_readings(entry.payload)
    return found


def ingress_entries():
    return sum(INGRESS.depth(p).entries for p in range(settings.TELEMETRY_PARTITIONS))


def cannot_store(*_, **__):
    raise psycopg.DataError("a fault of ours")


def by_identity(readings):
    return sorted((r.vehicle_id, r.time, r.reading_id) for r in readings)


def test_it_stores_publishes_and_acknowledges():
    readings = [vehicle_reading(n % 7 + 1, at=T0 + n * SECOND, soc_pct=50.0) for n in range(40)]
    append(*readings)
    write_all()
    assert VehicleReadingRow.objects.count() == 40
    assert by_identity(published()) == by_identity(readings)
    assert ingress_entries() == 0


def test_it_publishes_only_what_was_new():
    first, second = vehicle_reading(at=T0), vehicle_reading(at=T0 + SECOND)
    append(first)
    write_all()
    published()
    append(first, second)
    write_all()
    assert published() == [second]


def test_it_keeps_the_order_of_a_vehicle_in_the_stored_log():
    readings = [vehicle_reading(3, at=T0 + (n * 7 % 20) * SECOND) for n in range(20)]
    for reading in readings:
        append(reading)
    write_all()
    assert [r.reading_id for r in published()] == [r.reading_id for r in readings]


def test_it_publishes_a_redelivered_batch_whole():
    """Killed between commit and publish: what is pending is stored, and must be published."""
    reading = vehicle_reading(speed_kmh=44.0)
    append(reading)
    partition = partition_of("v", reading.vehicle_id)
    INGRESS.ensure_group(partition, GROUP)
    [entry] = INGRESS.read(partition, GROUP, count=10, block_ms=1)
    with connect("outrider tests") as connection:
        writer_module.Store(connection).store(decode_readings(entry.payload))
    write_all()
    assert published() == [reading]
    assert ingress_entries() == 0
    assert VehicleReadingRow.objects.count() == 1
    assert VehicleHour.objects.get().readings == 1
    assert DeviceHealth.objects.get().duplicates == 0


def test_it_sets_aside_only_what_cannot_be_stored():
    good = [vehicle_reading(n, soc_pct=1.0 * n) for n in range(1, 30)]
    bad = vehicle_reading(30, satellites=70_000)
    nul = vehicle_reading(31, driver="a\0b")
    append(*good[:10], bad, *good[10:], nul)
    write_all()
    assert VehicleReadingRow.objects.count() == 29
    assert by_identity(published()) == by_identity(good)
    frames = QuarantinedFrame.objects.order_by("device_id")
    assert [(f.code, f.device_id, f.tenant_id) for f in frames] == [
        ("unstorable", bad.device_id, 1),
        ("unstorable", nul.device_id, 1),
    ]
    assert decode_readings(bytes(frames[0].raw)) == [bad]
    assert "32767" in frames[0].detail and "0x00" in frames[1].detail
    assert DeviceHealth.objects.get(device_id=bad.device_id).refusals == {"unstorable": 1}
    assert ingress_entries() == 0


def test_it_sets_aside_an_entry_that_is_not_one_and_goes_on():
    INGRESS.append(0, b"\xc1 not msgpack", 1)
    INGRESS.append(0, encode_readings([vehicle_reading()]), 1)
    write_all()
    assert VehicleReadingRow.objects.count() == 1
    frame = QuarantinedFrame.objects.get()
    assert (bytes(frame.raw), frame.tenant_id) == (b"\xc1 not msgpack", None)


def test_it_stores_what_was_set_aside_once_the_fault_is_mended(monkeypatch):
    reading = vehicle_reading(1, satellites=9, soc_pct=4.0)
    append(reading)
    with monkeypatch.context() as faulty:
        faulty.setattr(writer_module.Store, "store", cannot_store)
        write_all()
    assert VehicleReadingRow.objects.count() == 0
    frame = QuarantinedFrame.objects.get()
    assert (frame.code, frame.replay_outcome) == ("unstorable", "")
    for outcome in ("accepted", "already accepted"):
        assert dict(replay(QuarantinedFrame.objects.all())) == {outcome: 1}
        write_all()
    # A crash between the append and the note of it: replayed, the reading is still one row.
    QuarantinedFrame.objects.update(replay_outcome="")
    assert dict(replay(QuarantinedFrame.objects.all())) == {"accepted": 1}
    write_all()
    assert VehicleReadingRow.objects.get().satellites == 9
    assert VehicleHour.objects.get().readings == 1
    assert by_identity(published()) == by_identity([reading])


def test_it_says_so_where_what_was_set_aside_still_cannot_be_stored():
    append(vehicle_reading(satellites=70_000))
    write_all()
    for _ in range(2):  # and may be tried again
        assert dict(replay(QuarantinedFrame.objects.all())) == {"accepted": 1}
        write_all()
        frame = QuarantinedFrame.objects.get()
        assert frame.replay_outcome == "still cannot be stored"
        assert frame.replayed_at is not None
    assert DeviceHealth.objects.get().refusals == {"unstorable": 1}, "one reading, counted once"


def test_it_notes_what_the_writer_found_before_the_replay_was_done(monkeypatch):
    append(vehicle_reading(satellites=70_000))
    write_all()
    real = quarantine_module.append_many

    def writer_is_quicker(appends):
        answer = real(appends)
        write_all()
        return answer

    monkeypatch.setattr(quarantine_module, "append_many", writer_is_quicker)
    replay(QuarantinedFrame.objects.all())
    assert QuarantinedFrame.objects.get().replay_outcome == "still cannot be stored"


def test_it_replays_no_entry_that_cannot_be_read():
    INGRESS.append(0, b"\xc1 not msgpack", 1)
    write_all()
    [outcome] = replay(QuarantinedFrame.objects.all())
    assert outcome.startswith("not a list of readings")
    QuarantinedFrame.objects.update(raw_size=10**6)
    assert list(replay(QuarantinedFrame.objects.all())) == [
        "only 13 of its 1000000 bytes were kept"
    ]


def test_it_quarantines_once_however_often_it_is_redelivered():
    append(vehicle_reading(satellites=70_000, rid=5))
    write_all()
    append(vehicle_reading(satellites=70_000, rid=5))
    write_all()
    assert QuarantinedFrame.objects.count() == 1
    assert DeviceHealth.objects.get().refused == 1


def test_it_goes_on_when_its_session_is_killed():
    stop, readings = threading.Event(), [vehicle_reading(n + 1) for n in range(60)]
    thread = threading.Thread(target=Writer().run, args=(stop,))
    thread.start()
    try:
        for at in range(0, 60, 3):
            append(*readings[at : at + 3])
            if at % 15 == 0:
                with django_connection.cursor() as cursor:
                    cursor.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name = 'outrider writer'"
                        " AND datname = current_database()"
                    )
            time.sleep(0.03)
        deadline = time.monotonic() + 20
        while ingress_entries() and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
    assert VehicleReadingRow.objects.count() == 60 == VehicleLatest.objects.count()
    assert set(by_identity(published())) == set(by_identity(readings))
    assert sum(VehicleHour.objects.values_list("readings", flat=True)) == 60


def test_writers_share_the_partitions_and_hand_them_over():
    with connect("one") as one, connect("two") as two:
        first = Ownership(one, "test", partitions=4)
        first.rebalance()
        assert first.owned == {0, 1, 2, 3}
        second = Ownership(two, "test", partitions=4)
        second.rebalance()
        assert second.owned == set()
        first.rebalance()
        second.rebalance()
        assert first.owned == {0, 1} and second.owned == {2, 3}
        two.close()
        for _ in range(50):
            first.rebalance()
            if len(first.owned) == 4:
                break
            time.sleep(0.02)
        assert first.owned == {0, 1, 2, 3}


def test_five_writers_leave_no_partition_alone():
    connections = [connect(f"w{n}") for n in range(5)]
    try:
        writers = [Ownership(c, "test", partitions=4) for c in connections]
        for _ in range(4):
            for ownership in writers:
                ownership.rebalance()
        owned = [partition for ownership in writers for partition in ownership.owned]
        assert sorted(owned) == [0, 1, 2, 3]
        assert sorted(len(ownership.owned) for ownership in writers) == [0, 1, 1, 1, 1]
    finally:
        for connection in connections:
            connection.close()


def test_a_writer_that_lost_its_session_cannot_commit():
    with connect("fenced") as fenced, connect("heir") as heir:
        store = writer_module.Store(fenced)
        Ownership(fenced, "test", partitions=1).rebalance()
        with django_connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [fenced.info.backend_pid])
        inheritance = Ownership(heir, "test", partitions=1)
        for _ in range(100):
            if inheritance.rebalance()[0]:
                break
            time.sleep(0.02)
        assert inheritance.owned == {0}
        with pytest.raises(psycopg.OperationalError):
            store.store([vehicle_reading()])
    assert not VehicleReadingRow.objects.exists()


def test_it_finds_what_a_fenced_predecessor_took_after_the_handover(monkeypatch):
    monkeypatch.setattr(writer_module, "_ORPHANS_S", 0.0)
    reading = vehicle_reading()
    partition = partition_of("v", reading.vehicle_id)
    with connect("outrider tests") as connection:
        session = writer_module.Session(connection, None)
        session.turn()
        append(reading)
        INGRESS.read(partition, GROUP, count=10, block_ms=1)  # the predecessor, too late
        session.turn()
    assert VehicleReadingRow.objects.count() == 1
    assert ingress_entries() == 0
