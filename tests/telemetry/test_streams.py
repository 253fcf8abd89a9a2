"""The logs on a real Redis: nothing is acknowledged that is not there, nothing is trimmed early."""

import pytest
from redis.exceptions import RedisError

from telemetry import streams
from telemetry.records import SCHEMA_VERSION, MeterReading, VehicleReading
from telemetry.streams import Append, LogFull, PartitionedLog

pytestmark = pytest.mark.usefixtures("empty_logs")


def bounded(max_bytes=1_000_000, on_full="refuse"):
    return PartitionedLog("test-log", partitions=2, max_bytes=max_bytes, on_full=on_full)


def test_it_hands_entries_out_in_the_order_of_their_appends():
    log = bounded()
    log.ensure_group(0, "writer")
    for number in range(5):
        log.append(0, b"payload %d" % number, number)
    entries = log.read(0, "writer", count=10, block_ms=1)
    assert [(e.payload, e.readings) for e in entries] == [
        (b"payload %d" % number, number) for number in range(5)
    ]
    assert log.read(0, "writer", count=10, block_ms=1) == []


def test_it_gives_a_new_owner_what_the_old_one_had_not_acknowledged():
    log = bounded()
    log.ensure_group(0, "writer")
    log.append(0, b"one", 1)
    log.append(0, b"two", 1)
    first, second = log.read(0, "writer", count=10, block_ms=1)
    log.ack(0, "writer", [first])
    assert log.read_pending(0, "writer", count=10) == [second]


def test_it_starts_a_late_group_with_what_the_log_holds():
    log = bounded()
    log.append(0, b"early", 1)
    log.ensure_group(0, "writer")
    log.ensure_group(0, "writer")
    assert [e.payload for e in log.read(0, "writer", count=10, block_ms=1)] == [b"early"]


def test_it_refuses_at_the_bound_and_recovers_with_the_acknowledgement():
    log = bounded(max_bytes=1000)
    log.ensure_group(0, "writer")
    log.append(0, b"x" * 800, 1)
    with pytest.raises(LogFull):
        log.append(0, b"y" * 200, 1)
    log.append(1, b"other partitions are not concerned", 1)
    assert log.depth(0).entries == 1
    log.ack(0, "writer", log.read(0, "writer", count=1, block_ms=1))
    assert log.depth(0)[:2] == (0, 0)
    log.append(0, b"y" * 200, 1)


def test_it_takes_one_oversized_entry_rather_than_block_for_ever():
    log = bounded(max_bytes=10)
    log.append(0, b"x" * 800, 1)
    assert log.depth(0).bytes == 800 + streams.ENTRY_OVERHEAD


def test_it_counts_bytes_once_when_an_acknowledgement_is_repeated():
    log = bounded()
    log.ensure_group(0, "writer")
    log.append(0, b"one", 1)
    entries = log.read(0, "writer", count=1, block_ms=1)
    log.append(0, b"three", 1)
    assert log.ack(0, "writer", entries) == 1
    assert log.ack(0, "writer", entries) == 0
    assert log.depth(0)[:2] == (1, len(b"three") + streams.ENTRY_OVERHEAD)


def test_it_trims_the_stored_log_only_up_to_what_every_route_has_acknowledged():
    log = bounded(on_full="drop")
    log.ensure_group(0, "live")
    log.ensure_group(0, "alerts")
    for number in range(4):
        log.append(0, b"%d" % number, 1)
    live = log.read(0, "live", count=10, block_ms=1)
    log.ack(0, "live", live)
    assert log.depth(0).entries == 4
    alerts = log.read(0, "alerts", count=3, block_ms=1)
    log.ack(0, "alerts", alerts[1:])
    assert log.depth(0).entries == 4, "the first is still pending"
    log.ack(0, "alerts", alerts[:1])
    assert [e.payload for e in log.read(0, "alerts", count=10, block_ms=1)] == [b"3"]
    assert log.depth(0).entries == 1


def test_it_no_longer_holds_entries_for_a_forgotten_group():
    log = bounded(on_full="drop")
    log.ensure_group(0, "live")
    log.ensure_group(0, "retired")
    log.append(0, b"one", 1)
    assert sorted(log.groups(0)) == ["live", "retired"]
    log.forget_group(0, "retired")
    log.ack(0, "live", log.read(0, "live", count=1, block_ms=1))
    assert log.depth(0)[:2] == (0, 0)


def test_it_drops_the_oldest_stored_entries_at_the_bound_and_says_so():
    log = bounded(max_bytes=1000, on_full="drop")
    log.ensure_group(0, "live")
    log.append(0, b"a" * 300, 1)
    pending = log.read(0, "live", count=1, block_ms=1)
    log.append(0, b"b" * 300, 1)
    log.append(0, b"c" * 300, 1)
    assert log.depth(0).dropped == 1
    assert log.read_pending(0, "live", count=5) == [], "its pending entry went with it"
    assert log.ack(0, "live", pending) == 0
    assert [e.payload[:1] for e in log.read(0, "live", count=5, block_ms=1)] == [b"b", b"c"]


def test_it_measures_lag_by_group():
    log = bounded()
    log.ensure_group(0, "writer")
    assert log.lag(0, "writer") == (0, None)
    ids = [log.append(0, b"x", 1) for _ in range(3)]
    assert log.lag(0, "writer") == (3, int(ids[0].split("-")[0]))
    entries = log.read(0, "writer", count=2, block_ms=1)
    assert log.lag(0, "writer") == (3, int(ids[0].split("-")[0])), "delivered is not done"
    log.ack(0, "writer", entries)
    assert log.lag(0, "writer") == (1, int(ids[2].split("-")[0]))


async def test_it_appends_to_many_partitions_in_one_go_and_tells_which_were_full():
    log = bounded(max_bytes=1000)
    full, taken = await streams.append_many_async(
        [Append(log, 0, b"x" * 900, 1, {7: 10}), Append(log, 1, b"y", 1, {8: 3, 9: 4})]
    )
    assert isinstance(full, str) and isinstance(taken, str)
    full, taken = await streams.append_many_async(
        [Append(log, 0, b"x" * 900, 1, {7: 11}), Append(log, 1, b"y", 1, {8: 5})]
    )
    assert full is None and isinstance(taken, str)
    assert await log.last_seq(0, 7) == 10, "what was not appended moves no sequence number"
    assert await log.last_seq(1, 8) == 5
    assert await log.last_seq(1, 9) == 4
    assert await log.last_seq(1, 10) is None


async def test_it_carries_on_when_redis_has_forgotten_its_scripts():
    log = bounded()
    streams.sync_client().script_flush()
    [first] = await streams.append_many_async([Append(log, 0, b"x", 1)])
    streams.sync_client().script_flush()
    log.append(0, b"y", 1)
    assert isinstance(first, str)
    assert log.depth(0).entries == 2


async def test_it_reports_a_refusal_of_redis_beside_the_others():
    log = bounded()
    streams.sync_client().set(log.keys(1)[0], "not a stream")
    fine, broken = await streams.append_many_async(
        [Append(log, 0, b"x", 1), Append(log, 1, b"x", 1)]
    )
    assert isinstance(fine, str)
    assert isinstance(broken, RedisError)
    with pytest.raises(RedisError):
        log.append(1, b"x", 1)


def test_it_returns_readings_as_they_went_in():
    readings = [
        VehicleReading(SCHEMA_VERSION, 1, 2, 3, 4, 5, -6, "telemetry.v1", lat=1.5, alarms=("a",)),
        MeterReading(SCHEMA_VERSION, 1, None, 3, 4, 5, 6, "http.v1", attributes={"a": None}),
    ]
    assert streams.decode_readings(streams.encode_readings(readings)) == readings


def test_it_spreads_subjects_and_keeps_each_in_its_partition(settings):
    settings.TELEMETRY_PARTITIONS = 4
    placed = [streams.partition_of("v", number) for number in range(400)]
    assert placed == [streams.partition_of("v", number) for number in range(400)]
    assert all(placed.count(partition) > 60 for partition in range(4))
