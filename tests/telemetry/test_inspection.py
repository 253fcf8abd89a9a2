"""Frames of watched devices: kept with what became of them, masked, bounded, and soon gone."""

import asyncio
import json
import tracemalloc

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from redis.exceptions import RedisError

from telemetry import ingest, streams
from telemetry.inspection import kept, watches
from telemetry.inspection.inspector import Inspector
from telemetry.inspection.watches import look
from tests import people
from tests.telemetry.devices import Socket, closed, reading
from tests.telemetry.test_http_ingest import post

pytestmark = pytest.mark.usefixtures("committed", "empty_logs", "nobody_looks")

VIN = people.NORTH_AMERICAN_VIN


def sweep():
    client = streams.sync_client()
    for key in client.scan_iter(f"{settings.REDIS_PREFIX}:watched-*"):
        client.delete(key)


@pytest.fixture
def nobody_looks():
    sweep()
    yield
    sweep()


@sync_to_async
def looked(device):
    return look(device)


async def watch(device):
    """As a page does; and the ingest process learns of it at once."""
    assert (await looked(device)).watched
    await ingest.door().inspector.look()


async def frames_of(device):
    await ingest.door().inspector.hand_over()
    return (await looked(device)).frames


async def spoken(secret, *frames, **options):
    """A device says these frames; returned once each is answered."""
    socket = Socket(secret, **options)
    await socket.open()
    for frame in frames:
        await socket.say(frame)
        last = (frame if isinstance(frame, list) else [frame])[-1]["seq"]
        while (await socket.hear())["seq"] != last:
            pass
    await socket.leave()


async def test_it_keeps_nothing_of_a_device_that_nobody_looks_at(device):
    await ingest.door().inspector.look()
    await spoken(device[1], reading(1))
    assert await frames_of(device[0]) == []


async def test_it_keeps_what_a_watched_device_says_with_its_answer(device):
    await watch(device[0])
    await spoken(device[1], reading(1, soc_pct=82.5), reading(2, lat=91.2, lon=2))
    refused, good = await frames_of(device[0])
    assert json.loads(good.raw)["soc_pct"] == 82.5
    assert (good.format, good.understood, good.refused) == ("telemetry.v1.json", 1, 0)
    [found] = kept.readings_of(good)
    assert (found.soc_pct, found.vehicle_id) == (82.5, device[0].vehicle_id)
    assert found.received_at == good.received_at
    assert (refused.understood, refused.refused) == (0, 1)
    [why] = refused.refusals
    assert (why.code, why.field, why.seq) == ("out_of_range", "lat", 2)


async def test_it_keeps_messagepack_as_it_came(device):
    await watch(device[0])
    await spoken(device[1], [reading(1), reading(2)], subprotocols=["telemetry.v1.msgpack"])
    [frame] = await frames_of(device[0])
    assert frame.format == "telemetry.v1.msgpack"
    assert frame.raw[0] == 0x92
    assert [found.soc_pct for found in kept.readings_of(frame)] == [50.5, 50.5]


async def test_it_shows_why_a_socket_was_closed(device):
    await watch(device[0])
    socket = Socket(device[1])
    await socket.open()
    await socket.send_input({"type": "websocket.receive", "bytes": b"\x80"})
    assert await closed(socket) == 4400
    [frame] = await frames_of(device[0])
    assert frame.raw == b"\x80"
    assert frame.problem.code == "close_4400"


async def test_it_keeps_what_comes_by_http_refused_at_the_door_as_well(device):
    await watch(device[0])
    good = {"vehicleId": "V1", "soc": 82.5, "timestamp": "2024-02-08T12:00:00Z"}
    await post([good, {**good, "soc": 101}], device[1])
    await post(b"{", device[1])
    await post(good, device[1], "text/plain")
    await post({**good, "vehicleId": "V2"}, device[1])
    stranger, wrong_type, broken, both = await frames_of(device[0])
    assert both.format == "http.v1 application/json"
    assert (both.understood, both.refused) == (1, 1)
    [found] = kept.readings_of(both)
    assert (found.soc_pct, found.vehicle_id) == (82.5, device[0].vehicle_id)
    assert both.refusals[0].field == "soc"
    assert (broken.raw, broken.problem.code) == (b"{", "malformed")
    assert wrong_type.problem.code == "unsupported_media_type"
    assert stranger.refusals[0].code == "unknown_vehicle"
    assert stranger.problem is None, "it is told once"


async def test_it_keeps_no_request_of_an_integration(device, tenant):
    """It has no device whose page it could stand on."""
    await watch(device[0])
    token = await sync_to_async(people.a_token)(tenant, "telemetry:write")
    await post({"vehicleId": "V1", "soc": 1, "timestamp": "2024-02-08T12:00:00Z"}, token)
    assert await frames_of(device[0]) == []


# --- What must never show ----------------------------------------------------------------
@pytest.mark.parametrize("form", ["telemetry.v1.json", "telemetry.v1.msgpack"])
async def test_no_vin_and_no_secret_reaches_redis_or_the_log(device, form, caplog, capfd):
    await watch(device[0])
    secret = device[1]
    hidden = {
        "attributes": {"vin": VIN, "key": secret, "long": "x" * 40 + VIN, "lower": VIN.lower()},
        "driver": f"in {VIN}",
    }
    await spoken(
        secret,
        reading(1, **hidden),
        reading(2, **hidden, lat=91.2, lon=1),
        {**reading(3), VIN: 1},
        subprotocols=[form],
    )
    await ingest.door().inspector.hand_over()
    client = streams.sync_client()
    lying = b"".join(client.lrange(watches._frames(device[0].pk), 0, -1))
    assert lying.count(b"soc_pct") >= 1 or b"driver" in lying, "the frames are there"
    assert VIN.encode() not in lying.upper()
    assert secret.split("_", 2)[2].encode() not in lying
    told = caplog.text + "".join(capfd.readouterr())
    assert VIN not in told and secret not in told and "91.2" not in told
    refused = (await looked(device[0])).frames[0]
    assert VIN not in refused.refusals[0].field + refused.refusals[0].detail


@pytest.mark.parametrize(
    "text",
    ["2026-11-21T08:51:20.123456Z", "12345678901234567890", "0.12345678901234567", "CHARGER-STATION-NO", "a" * 40,
     "20261121085120123Z", "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
)  # fmt: skip
def test_it_masks_no_times_numbers_or_names(text):
    assert kept.masked_text(text) == text


@pytest.mark.parametrize("number", [VIN, people.EUROPEAN_VIN, people.OTHER_NORTH_AMERICAN_VIN])
@pytest.mark.parametrize(
    "around",
    ["%s", '{"vin":"%s"}', "x%s", "Z%s", "%s.", "%s,%s", "\x11%s", "7%s", "%sA", "Z%sA", "%s7"],
)
def test_it_masks_a_vin_wherever_it_stands(number, around):
    text = around.replace("%s", number)
    masked = kept.masked_text(text)
    assert number not in masked and number[:-1] not in masked and number[1:] not in masked
    assert len(masked) == len(text)


def test_it_masks_a_vin_that_lies_across_the_cut():
    raw = b"." * (kept.RAW_BYTES - 8) + VIN.encode()
    frame = kept.decoded(kept.encoded(kept.keep(raw, "f", 1)))
    assert len(frame.raw) == kept.RAW_BYTES
    assert frame.raw.endswith(b"." + b"*" * 8)


# --- Bounds ------------------------------------------------------------------------------
async def test_it_keeps_the_last_frames_and_no_more(device):
    await watch(device[0])
    inspector = ingest.door().inspector
    for n in range(5 * kept.FRAMES):
        inspector.keep(device[0].pk, b"%d" % n, "f", n)
        if n % 7 == 0:
            await inspector.hand_over()
    frames = await frames_of(device[0])
    assert [int(frame.raw) for frame in frames] == list(range(99, 79, -1))


def hostile_record():
    return b"\xc4" + b"v" * 60_000


async def test_a_frame_is_small_whatever_came(device):
    from telemetry.adapters.decoded import RefusedItem
    from telemetry.validate import Refusal, RefusalCode

    awful = Refusal(RefusalCode.UNKNOWN_FIELD, "\U0001f697" * 5000, "\U0001f697" * 5000)
    frame = kept.keep(
        "\U0001f697" * 1_000_000,
        "f",
        1,
        records=[hostile_record(), *([b"r" * 3000] * 500)],
        refused=[RefusedItem(awful, 2**62, b"", 0)] * 5000,
    )
    assert len(kept.encoded(frame)) <= kept.FRAME_BYTES
    few = kept.keep(b"x", "f", 1, records=[b"r" * 3000] * 500)
    assert len(few.readings) <= kept.READINGS_BYTES + 8
    assert few.understood == 500


async def test_memory_is_bounded_while_redis_takes_nothing(device, monkeypatch):
    async def away(*arguments):
        raise RedisError("away")

    inspector = Inspector()
    inspector.devices = frozenset(range(50))
    monkeypatch.setattr(watches, "watched_devices", away)
    tracemalloc.start()
    for n in range(2_000):
        inspector.keep(n % 50, b"x" * 100_000, "f", n, records=[b"r" * 2000] * 20)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    inspector._task.cancel()
    assert held < 50 * kept.FRAMES * kept.FRAME_BYTES
    monkeypatch.setattr(watches, "hand_over", away)
    with pytest.raises(RedisError):
        await inspector.hand_over()
    assert inspector._kept == {}


@sync_to_async
def provision(tenant, count, mark):
    return [
        people.a_device(tenant, f"{mark}{n}", vehicle=people.a_vehicle(tenant, f"{mark}{n}"))[0]
        for n in range(count)
    ]


async def test_it_watches_a_bounded_number_of_devices(tenant, settings):
    settings.TELEMETRY_WATCHED_DEVICES = 12
    mine = await provision(tenant, 11, "A")
    other = await sync_to_async(people.an_organisation)()
    theirs = await provision(other, 3, "B")
    assert [(await looked(each)).watched for each in mine] == [True] * 10 + [False]
    assert (await looked(mine[0])).watched, "who looks already goes on looking"
    assert [(await looked(each)).watched for each in theirs] == [True, True, False]
    assert await watches.watched_devices() == {each.pk for each in [*mine[:10], *theirs[:2]]}


async def test_none_is_watched_where_it_is_turned_off(device, settings):
    settings.TELEMETRY_WATCHED_DEVICES = 0
    assert not (await looked(device[0])).watched
    assert await watches.watched_devices() == frozenset()


async def test_all_of_it_is_gone_when_nobody_looks_any_more(device, monkeypatch):
    await watch(device[0])
    await spoken(device[1], reading(1))
    assert len(await frames_of(device[0])) == 1
    monkeypatch.setattr(watches, "WATCH_S", 1)
    await looked(device[0])
    await asyncio.sleep(2.2)
    assert streams.sync_client().exists(watches._frames(device[0].pk), watches._watches()) == 0
    assert await watches.watched_devices() == frozenset()


async def test_who_no_longer_looks_leaves_the_place_to_others(device, monkeypatch, settings):
    settings.TELEMETRY_WATCHED_DEVICES = 1
    await watch(device[0])
    other = await sync_to_async(people.an_organisation)()
    [theirs] = await provision(other, 1, "B")
    assert not (await looked(theirs)).watched
    monkeypatch.setattr(watches, "WATCH_S", 1)
    await looked(device[0])
    await asyncio.sleep(2.1)
    assert (await looked(theirs)).watched


async def test_the_first_frame_of_a_process_is_kept_as_well(device):
    """Somebody watches before the process has ever looked: as when it has just begun."""
    assert (await looked(device[0])).watched
    await spoken(device[1], reading(1))
    [frame] = await frames_of(device[0])
    assert frame.understood == 1


# --- By itself ---------------------------------------------------------------------------
async def test_the_process_learns_by_itself_and_forgets_by_itself(device, monkeypatch):
    inspector = ingest.door().inspector
    assert (await looked(device[0])).watched
    for _ in range(200):
        if inspector.devices:
            break
        await asyncio.sleep(0.05)
    assert inspector.devices == {device[0].pk}
    await spoken(device[1], reading(1))
    for _ in range(200):
        if (await looked(device[0])).frames:
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("it never handed the frame over")


async def test_ingest_goes_on_while_watches_cannot_be_read(device, monkeypatch):
    inspector = ingest.door().inspector
    await watch(device[0])

    async def away(*arguments):
        raise RedisError("away")

    monkeypatch.setattr(watches, "watched_devices", away)
    monkeypatch.setattr(watches, "hand_over", away)
    await spoken(device[1], reading(1))
    for _ in range(100):
        if not inspector.devices:
            break
        await asyncio.sleep(0.05)
    assert inspector.devices == frozenset(), "nothing is kept for nobody"
    monkeypatch.undo()
    for _ in range(100):
        if inspector.devices:
            break
        await asyncio.sleep(0.05)
    assert inspector.devices == {device[0].pk}, "and it comes back by itself"


async def test_a_frame_of_another_version_is_left_out(device):
    client = streams.sync_client()
    client.lpush(watches._frames(device[0].pk), b"\x91\x01", b"nonsense", b"")
    assert (await looked(device[0])).frames == []
