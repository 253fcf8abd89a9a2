"""A device that knocks with a credential that does not open is noticed, and it alone."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from redis.exceptions import RedisError

from fleet import services
from telemetry import knocks, streams
from tests import people
from tests.telemetry.devices import Socket
from tests.telemetry.test_http_ingest import post

pytestmark = pytest.mark.usefixtures("committed", "empty_logs", "no_knocks")


@pytest.fixture
def no_knocks():
    client = streams.sync_client()
    for key in client.scan_iter(f"{settings.REDIS_PREFIX}:knock:*"):
        client.delete(key)
    yield
    for key in client.scan_iter(f"{settings.REDIS_PREFIX}:knock:*"):
        client.delete(key)


@sync_to_async
def why(device):
    found = knocks.last_knocks([device.pk])
    return found[device.pk].why if found else None


@sync_to_async
def rotate(tenant, device):
    return services.rotate_credential(actor=people.acting(tenant), device=device)


async def noticed(device, expected):
    for _ in range(200):
        if await why(device) == expected:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(await why(device))


async def test_the_socket_notices_a_credential_that_was_revoked(tenant, device):
    new = await rotate(tenant, device[0])
    assert await Socket(device[1]).refused() == (401, "credential_invalid")
    await noticed(device[0], "revoked")
    await Socket(new).open()


async def test_http_notices_it_as_well(tenant, device):
    await rotate(tenant, device[0])
    await post({"vehicleId": "V1", "soc": 1}, device[1])
    await noticed(device[0], "revoked")


async def test_a_credential_cut_short_is_called_wrong(device):
    assert await Socket(device[1][:-3]).refused() == (401, "credential_invalid")
    await noticed(device[0], "wrong")


async def test_what_is_archived_is_not_called_wrong(tenant, device):
    archive = sync_to_async(services.archive_vehicle)
    await archive(actor=people.acting(tenant), vehicle=device[0].vehicle)
    assert await Socket(device[1]).refused() == (401, "credential_invalid")
    await noticed(device[0], "archived")


@pytest.mark.parametrize(
    "secret", ["nonsense", "ord_000000000000_" + "x" * 43, "ord_\x00", "ort_000000000000_x", ""]
)
async def test_strangers_leave_no_trace(device, secret):
    await sync_to_async(knocks.note)([secret])
    assert list(streams.sync_client().scan_iter(f"{settings.REDIS_PREFIX}:knock:*")) == []


async def test_no_secret_is_kept(device):
    await sync_to_async(knocks.note)([device[1][:-3]] * 2000)
    [key] = streams.sync_client().scan_iter(f"{settings.REDIS_PREFIX}:knock:*")
    assert len(streams.sync_client().get(key)) < 30
    assert 0 < streams.sync_client().ttl(key) <= knocks.KEPT_S


async def test_a_device_is_refused_all_the_same_while_nothing_can_be_noted(device, monkeypatch):
    def away():
        raise RedisError("away")

    monkeypatch.setattr(knocks, "sync_client", away)
    assert await Socket(device[1][:-3]).refused() == (401, "credential_invalid")
    await sync_to_async(knocks.note)([device[1][:-3]])
