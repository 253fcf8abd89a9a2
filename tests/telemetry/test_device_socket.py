"""The device socket, on a real Redis and a real database."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from fleet import services
from telemetry import ingest, streams
from telemetry.presence import presence
from tests import people
from tests.telemetry.devices import Socket, closed, reading

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")


@pytest.fixture
def vehicle(tenant):
    return people.a_vehicle(tenant)


@pytest.fixture
def device(tenant, vehicle):
    """(device, secret)"""
    return people.a_device(tenant, vehicle=vehicle)


def in_the_log():
    found = []
    for partition in range(streams.INGRESS.partitions):
        entries = streams.sync_client().xrange(streams.INGRESS.keys(partition)[0])
        found += [r for _, e in entries for r in streams.decode_readings(e[b"b"])]
    return found


def in_quarantine():
    return streams.sync_client().xlen(streams.QUARANTINE.keys(0)[0])


# --- The handshake ---------------------------------------------------------------------------
async def test_it_greets_a_device(device):
    socket = Socket(device[1])
    assert await socket.open() == {
        "schema": 1, "last_seq": None, "window": 2000, "max_batch": 500,
    }  # fmt: skip
    assert socket.subprotocol == "telemetry.v1.json"


async def test_it_takes_the_credential_as_a_subprotocol_and_does_not_echo_it(device):
    socket = Socket(subprotocols=["telemetry.v1.msgpack", f"bearer.{device[1]}"])
    await socket.open()
    assert socket.subprotocol == "telemetry.v1.msgpack"


@pytest.mark.parametrize(
    "secret",
    [None, "", "x", "ord_000000000000_" + "x" * 43, "ort_000000000000_x", "ord_\xff", "x" * 9000],
)
async def test_it_refuses_a_bad_credential_before_it_opens(secret):
    headers = [(b"authorization", b"Bearer " + secret.encode("latin-1"))] if secret else []
    assert await Socket(headers=headers).refused() == (401, "credential_invalid")


async def test_it_refuses_a_socket_without_its_subprotocol(device):
    assert await Socket(device[1], subprotocols=[]).refused() == (400, "subprotocol_missing")
    other = Socket(device[1], subprotocols=["mqtt", f"bearer.{device[1]}"])
    assert await other.refused() == (400, "subprotocol_missing")


async def test_it_refuses_a_device_that_is_installed_nowhere(tenant):
    _, secret = await sync_to_async(people.a_device)(tenant)
    assert await Socket(secret).refused() == (409, "device_not_installed")


async def test_it_refuses_an_api_token(tenant):
    secret = await sync_to_async(people.a_token)(tenant)
    assert await Socket(secret).refused() == (401, "credential_invalid")


async def test_it_refuses_a_device_whose_vehicle_is_archived(tenant, vehicle, device):
    archive = sync_to_async(services.archive_vehicle)
    await archive(actor=people.acting(tenant), vehicle=vehicle)
    assert await Socket(device[1]).refused() == (401, "credential_invalid")


# --- Readings --------------------------------------------------------------------------------
@pytest.mark.parametrize("subprotocol", ["telemetry.v1.json", "telemetry.v1.msgpack"])
async def test_it_acknowledges_what_is_in_the_log(device, vehicle, subprotocol):
    socket = Socket(device[1], subprotocols=[subprotocol])
    await socket.open()
    await socket.say(reading(7, soc_pct=50.5))
    assert await socket.hear() == {"type": "ack", "seq": 7}
    [found] = await sync_to_async(in_the_log)()
    assert (found.vehicle_id, found.device_id) == (vehicle.pk, device[0].pk)
    assert (found.tenant_id, found.soc_pct) == (vehicle.tenant_id, 50.5)
    assert found.protocol == "telemetry.v1"


async def test_it_takes_a_meter_in(tenant):
    meter = await sync_to_async(people.a_meter)(tenant)
    _, secret = await sync_to_async(people.a_device)(tenant, meter=meter)
    socket = Socket(secret)
    await socket.open()
    await socket.say(reading(1, energy_ac_kwh=45.2))
    await socket.acknowledged(1)
    [found] = await sync_to_async(in_the_log)()
    assert (found.meter_id, str(found.energy_ac_kwh)) == (meter.pk, "45.200000")


async def test_it_keeps_the_order_of_a_vehicle(device):
    socket = Socket(device[1])
    await socket.open()
    for start in range(0, 300, 3):
        await socket.say([reading(seq, odometer_km=seq) for seq in range(start, start + 3)])
    await socket.acknowledged(299)
    found = await sync_to_async(in_the_log)()
    assert [r.odometer_km for r in found] == list(range(300))


async def test_it_tells_a_returning_device_how_far_it_had_come(device):
    first = Socket(device[1])
    await first.open()
    await first.say([reading(41), reading(42)])
    await first.acknowledged(42)
    await first.leave()
    assert (await Socket(device[1]).open())["last_seq"] == 42


async def test_it_follows_a_device_that_counts_from_nought_again(device):
    first = Socket(device[1])
    await first.open()
    await first.say(reading(1000))
    await first.acknowledged(1000)
    await first.leave()
    second = Socket(device[1])
    assert (await second.open())["last_seq"] == 1000
    await second.say(reading(0, soc_pct=11))
    await second.acknowledged(0)
    await second.leave()
    assert (await Socket(device[1]).open())["last_seq"] == 0
    assert [r.soc_pct for r in await sync_to_async(in_the_log)()] == [50.5, 11]


async def test_it_takes_a_number_that_goes_back_and_acknowledges_the_highest(device):
    socket = Socket(device[1])
    await socket.open()
    await socket.say(reading(10))
    await socket.acknowledged(10)
    await socket.say(reading(4, soc_pct=4))
    await socket.say(reading(11))
    assert await socket.acknowledged(11) == [{"type": "ack", "seq": 11}]
    assert len(await sync_to_async(in_the_log)()) == 3


async def test_it_answers_a_refusal_with_its_reason_and_acknowledges_past_it(device):
    socket = Socket(device[1])
    await socket.open()
    await socket.say([reading(1), reading(2, lat=91.2, lon=1), reading(3)])
    heard = await socket.acknowledged(3)
    assert [message for message in heard if message["type"] == "reject"] == [
        {
            "type": "reject", "seq": 2, "code": "out_of_range", "field": "lat",
            "detail": "91.2 is not in [-90, 90]",
        }
    ]  # fmt: skip
    assert await sync_to_async(in_quarantine)() == 1
    assert len(await sync_to_async(in_the_log)()) == 2


async def test_it_answers_garbage_and_goes_on(device):
    socket = Socket(device[1])
    await socket.open()
    await socket.send_input({"type": "websocket.receive", "text": "{nonsense"})
    reject = await socket.hear()
    assert (reject["code"], reject["seq"]) == ("malformed", None)
    await socket.say(reading(1))
    await socket.acknowledged(1)


async def test_it_does_not_acknowledge_a_refusal_before_it_is_recorded(device, monkeypatch):
    """1 accepted and 2 refused in one frame: while the quarantine is full, 1 alone is done."""
    monkeypatch.setattr(streams.QUARANTINE, "max_bytes", 0)
    streams.QUARANTINE.append(0, b"in the way", 1)
    socket = Socket(device[1])
    await socket.open()
    await socket.say([reading(1), reading(2, soc_pct=101)])
    await asyncio.sleep(0.3)
    assert await socket.receive_nothing()
    monkeypatch.undo()
    assert (await socket.acknowledged(2))[0]["type"] == "reject"


# --- Pressure --------------------------------------------------------------------------------
async def test_it_slows_a_device_while_the_log_is_full_and_loses_nothing(
    device, vehicle, monkeypatch
):
    partition = streams.partition_of("v", vehicle.pk)
    monkeypatch.setattr(streams.INGRESS, "max_bytes", 10)
    streams.INGRESS.append(partition, streams.encode_readings([]), 0)
    socket = Socket(device[1])
    await socket.open()
    for seq in range(5):
        await socket.say(reading(seq, soc_pct=seq))
        await asyncio.sleep(0.02)
    assert (await socket.hear())["type"] == "slow"
    assert ingest.door().lanes[partition].blocked
    monkeypatch.undo()
    heard = await socket.acknowledged(4)
    assert {message["type"] for message in heard} <= {"slow", "ack"}
    assert [r.soc_pct for r in await sync_to_async(in_the_log)()] == [0, 1, 2, 3, 4]


async def test_it_waits_out_a_redis_that_does_not_answer(device, monkeypatch):
    socket = Socket(device[1])
    await socket.open()
    streams.sync_client().client_pause(700)
    await socket.say(reading(1))
    await asyncio.sleep(0.3)
    assert await socket.receive_nothing(), "nothing may be acknowledged yet"
    assert await socket.acknowledged(1)
    assert len(await sync_to_async(in_the_log)()) == 1


async def test_it_stops_reading_a_device_beyond_its_window(device, settings, monkeypatch):
    settings.TELEMETRY_DEVICE_WINDOW = 5
    gate = asyncio.Event()
    append = streams.append_many_async

    async def held(appends):
        await gate.wait()
        return await append(appends)

    monkeypatch.setattr(streams, "append_many_async", held)
    socket = Socket(device[1])
    await socket.open()
    for seq in range(50):
        await socket.say(reading(seq, odometer_km=seq))
    await asyncio.sleep(0.2)
    taken = sum(lane.submitted for lane in ingest.door().lanes)
    assert taken == 6, "the window, and the frame that went over it"
    gate.set()
    await socket.acknowledged(49)


# --- Ends ------------------------------------------------------------------------------------
async def test_it_closes_a_frame_of_the_wrong_kind_with_4400(device):
    socket = Socket(device[1])
    await socket.open()
    await socket.send_input({"type": "websocket.receive", "bytes": b"{}"})
    assert await closed(socket) == 4400


async def test_it_closes_a_frame_too_large_with_4413_and_keeps_a_piece_of_it(device):
    socket = Socket(device[1])
    await socket.open()
    await socket.send_input({"type": "websocket.receive", "text": " " * (1024 * 1024 + 1)})
    assert await closed(socket) == 4413
    await ingest.door().drain(2)
    assert await sync_to_async(in_quarantine)() == 1


async def test_it_closes_a_device_over_its_rate_with_4429(device, settings):
    settings.TELEMETRY_DEVICE_MAX_RATE = 10
    socket = Socket(device[1])
    await socket.open()
    await socket.say([reading(seq) for seq in range(20)])
    await socket.acknowledged(19)
    await socket.say([reading(seq) for seq in range(20, 40)])
    assert await closed(socket) == 4429


async def test_it_closes_a_device_that_sends_nothing_but_garbage_with_4429(device, settings):
    settings.TELEMETRY_DEVICE_MAX_REFUSALS = 1
    socket = Socket(device[1])
    await socket.open()
    for _ in range(12):
        await socket.say({})
    assert await closed(socket) == 4429


async def test_it_closes_an_idle_device_with_4408(device, settings):
    settings.TELEMETRY_DEVICE_IDLE_S = 0
    settings.TELEMETRY_DEVICE_RECONCILE_S = 0.05
    socket = Socket(device[1])
    await socket.open()
    assert await closed(socket) == 4408


async def test_it_lets_the_newest_connection_win(device):
    older, newer = Socket(device[1]), Socket(device[1])
    await older.open()
    await asyncio.sleep(0.1)
    await newer.open()
    assert await closed(older) == 4409
    await newer.say(reading(1))
    await newer.acknowledged(1)


async def test_it_notices_a_newer_connection_although_the_message_was_lost(device, settings):
    settings.TELEMETRY_DEVICE_RECONCILE_S = 0.05
    socket = Socket(device[1])
    await socket.open()
    key = f"{settings.REDIS_PREFIX}:device-owners"
    streams.sync_client().hset(key, str(device[0].pk), "a connection of another process")
    assert await closed(socket) == 4409


async def test_it_stays_when_redis_has_forgotten_whose_turn_it_is(device, settings):
    settings.TELEMETRY_DEVICE_RECONCILE_S = 0.05
    socket = Socket(device[1])
    await socket.open()
    key = f"{settings.REDIS_PREFIX}:device-owners"
    streams.sync_client().delete(key)
    await asyncio.sleep(0.3)
    assert streams.sync_client().hget(key, str(device[0].pk)) is not None
    await socket.say(reading(1))
    await socket.acknowledged(1)


@pytest.mark.parametrize("announced", [True, False])
async def test_it_closes_a_revoked_device_with_4401(
    device, tenant, settings, monkeypatch, announced
):
    settings.TELEMETRY_DEVICE_RECONCILE_S = 60 if announced else 0.05
    if not announced:
        monkeypatch.setattr("fleet.revocation.announce", lambda *a, **k: None)
        monkeypatch.setattr("fleet.services.devices.announce", lambda *a, **k: None, raising=False)
    socket = Socket(device[1])
    await socket.open()
    await asyncio.sleep(0.2)
    await sync_to_async(services.revoke_credential)(actor=people.acting(tenant), device=device[0])
    assert await closed(socket) == 4401
    assert await Socket(device[1]).refused() == (401, "credential_invalid")


async def test_it_closes_the_old_credential_on_rotation_and_welcomes_the_new(device, tenant):
    socket = Socket(device[1])
    await socket.open()
    await asyncio.sleep(0.2)
    rotate = sync_to_async(services.rotate_credential)
    fresh = await rotate(actor=people.acting(tenant), device=device[0])
    assert await closed(socket) == 4401
    await Socket(fresh).open()


async def test_it_closes_a_device_that_was_moved_so_that_it_comes_back_as_another(
    device, tenant, settings
):
    settings.TELEMETRY_DEVICE_RECONCILE_S = 0.05
    socket = Socket(device[1])
    await socket.open()
    await asyncio.sleep(0.1)
    other = await sync_to_async(people.a_vehicle)(tenant, "V2")
    update = sync_to_async(services.update_device)
    await update(actor=people.acting(tenant), device=device[0], vehicle=other)
    assert await closed(socket) == 1012
    again = Socket(device[1])
    await again.open()
    await again.say(reading(1))
    await again.acknowledged(1)
    assert [r.vehicle_id for r in await sync_to_async(in_the_log)()] == [other.pk]


async def test_it_forgets_a_connection_that_is_gone(device):
    socket = Socket(device[1])
    await socket.open()
    assert len(presence().consumers) == 1
    await socket.send_input({"type": "websocket.disconnect", "code": 1006})
    await asyncio.sleep(0.1)
    assert presence().consumers == []
