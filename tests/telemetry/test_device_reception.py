"""Letting devices in by the batch, and the one channel on which a process hears of them."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import OperationalError

from fleet import services
from fleet.revocation import DEVICES
from fleet.selectors import devices_for_secrets
from telemetry import connected, streams
from telemetry.consumers import reception
from telemetry.presence import presence
from tests import people
from tests.telemetry.devices import Socket, closed, reading

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")


@pytest.fixture(autouse=True)
def nobody_looks_by_himself(settings):
    """What closes here closes because it was told."""
    settings.TELEMETRY_DEVICE_RECONCILE_S = 60


@pytest.fixture
def devices(tenant):
    return [
        people.a_device(tenant, f"D{n}", vehicle=people.a_vehicle(tenant, f"V{n}"))
        for n in range(30)
    ]


@pytest.fixture
def device(devices):
    return devices[0]


def owner_of(device):
    return streams.sync_client().hget(connected.key(), str(device[0].pk))


async def until(condition, seconds=5):
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came true")


async def test_it_looks_many_up_together_and_answers_each_for_itself(devices, monkeypatch):
    asked = []

    def counted(secrets):
        asked.append(len(secrets))
        return devices_for_secrets(secrets)

    monkeypatch.setattr(reception, "devices_for_secrets", counted)
    good = [Socket(secret) for _, secret in devices]
    bad = [Socket("ord_000000000000_" + "x" * 43), Socket("ord_\x00"), Socket("nonsense")]
    opened = asyncio.gather(*(socket.open() for socket in good))
    refused = asyncio.gather(*(socket.refused() for socket in bad))
    assert {ready["last_seq"] for ready in await opened} == {None}
    assert set(await refused) == {(401, "credential_invalid")}
    assert sum(asked) == 33 and len(asked) < 10, asked
    for at, socket in enumerate(good):
        await socket.say(reading(at))
    for at, socket in enumerate(good):
        await socket.acknowledged(at)
    again = [Socket(secret) for _, secret in devices]
    found = await asyncio.gather(*(socket.open() for socket in again))
    assert [ready["last_seq"] for ready in found] == list(range(30)), "each its own"


async def test_it_says_so_to_all_of_a_batch_where_the_database_is_away(devices, monkeypatch):
    def away(_):
        raise OperationalError("away")

    with monkeypatch.context() as patched:
        patched.setattr(reception, "devices_for_secrets", away)
        sockets = [Socket(secret) for _, secret in devices[:5]]
        answers = await asyncio.gather(*(socket.refused() for socket in sockets))
        assert set(answers) == {(503, "unavailable")}
    await Socket(devices[0][1]).open()


async def test_it_keeps_one_of_two_connections_that_come_at_the_same_time(device):
    first, second = Socket(device[1]), Socket(device[1])
    await asyncio.gather(first.open(), second.open())
    assert await closed(first) == 4409
    await second.say(reading(1))
    await second.acknowledged(1)


async def test_it_tells_the_process_that_had_the_device_before(device):
    layer = get_channel_layer()
    elsewhere = await layer.new_channel("devices.")
    streams.sync_client().hset(connected.key(), str(device[0].pk), f"{elsewhere}/7")
    await Socket(device[1]).open()
    message = await asyncio.wait_for(layer.receive(elsewhere), 3)
    assert message == {"type": "device.superseded", "devices": [device[0].pk]}


async def test_it_closes_when_another_process_tells_of_a_newer_connection(device):
    socket = Socket(device[1])
    await socket.open()
    channel = connected.channel_of(owner_of(device))
    streams.sync_client().hset(connected.key(), str(device[0].pk), "elsewhere/1")
    message = {"type": "device.superseded", "devices": [device[0].pk]}
    await get_channel_layer().send(channel, message)
    assert await closed(socket) == 4409


async def test_it_does_not_take_a_message_for_more_than_a_hint(device):
    socket = Socket(device[1])
    await socket.open()
    message = {"type": "device.revoked", "devices": [device[0].pk, 10**15], "code": 4401}
    await get_channel_layer().group_send(DEVICES, message)
    await get_channel_layer().group_send(DEVICES, {"type": "of a later version"})
    await asyncio.sleep(0.2)
    await socket.say(reading(1))
    await socket.acknowledged(1)


async def test_it_closes_all_devices_of_an_announcement_although_redis_stumbled(
    devices, tenant, monkeypatch
):
    """A look that failed must not be the last one."""
    sockets = [Socket(secret) for _, secret in devices[:2]]
    for socket in sockets:
        await socket.open()
    real = presence().check

    async def stumbles(_):
        monkeypatch.setattr(presence(), "check", real)
        raise OSError("once")

    monkeypatch.setattr(presence(), "check", stumbles)
    revoke = sync_to_async(services.revoke_credential)
    await revoke(actor=people.acting(tenant), device=devices[0][0])
    await asyncio.sleep(0.2)
    await revoke(actor=people.acting(tenant), device=devices[1][0])
    assert await closed(sockets[1]) == 4401


async def test_it_closes_a_device_that_was_revoked_while_it_was_being_let_in(
    device, tenant, monkeypatch
):
    def revoked_meanwhile(secrets):
        found = devices_for_secrets(secrets)
        services.revoke_credential(actor=people.acting(tenant), device=device[0])
        return found

    monkeypatch.setattr(reception, "devices_for_secrets", revoked_meanwhile)
    socket = Socket(device[1])
    await socket.open()
    assert await closed(socket) == 4401


async def test_it_forgets_who_left_and_nobody_else(devices):
    older, newer, staying = Socket(devices[0][1]), Socket(devices[0][1]), Socket(devices[1][1])
    for socket in (older, staying, newer):
        await socket.open()
    owner = owner_of(devices[0])
    assert await closed(older) == 4409
    await older.leave()
    await asyncio.sleep(0.2)
    assert owner_of(devices[0]) == owner, "the newer connection is there still"
    await newer.leave()
    await until(lambda: owner_of(devices[0]) is None)
    assert owner_of(devices[1]) is not None


async def test_it_counts_devices_that_are_connected_and_no_dead_process(devices):
    sockets = [Socket(secret) for _, secret in devices[:3]]
    for socket in sockets:
        await socket.open()
    ids = [device.pk for device, _ in devices]
    # As a process that was killed leaves it.
    streams.sync_client().hset(connected.key(), str(ids[5]), "devices.of-the-dead/5")
    assert await sync_to_async(connected.count)(ids) == 3
    await sockets[0].leave()
    await until(lambda: owner_of(devices[0]) is None)
    assert await sync_to_async(connected.count)(ids) == 2
    assert await sync_to_async(connected.count)([]) == 0
