"""Places are counted over all processes, and those of one that was killed come back."""

import asyncio
import os
import subprocess
import sys
from contextlib import AsyncExitStack

import pytest
from django.conf import settings as django_settings
from redis.exceptions import ConnectionError as RedisConnectionError

from telemetry.consumers import places
from telemetry.consumers.places import Places
from telemetry.redis_clients import async_client
from tenants.errors import DomainError
from tests.telemetry.test_ingest_server import ROOT

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
async def caller():
    name = f"test{os.getpid()}"
    await async_client().delete(places._key(name))
    yield name
    await async_client().delete(places._key(name))


async def taken(process, caller, code=None):
    """A place, which is given back by leaving it; or why there is none."""
    place = AsyncExitStack()
    try:
        await place.enter_async_context(process.taken(caller))
    except DomainError as error:
        assert error.code == code, error.detail
        return None
    assert code is None, "there was a place"
    return place


async def until_there_is_one(process, caller, seconds):
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        try:
            async with process.taken(caller):
                return True
        except DomainError:
            await asyncio.sleep(0.1)
    return False


async def test_it_counts_a_token_over_all_processes(caller, settings):
    settings.TELEMETRY_STREAMS_PER_TOKEN = 2
    one, other = Places(), Places()
    first, second = await taken(one, caller), await taken(other, caller)
    for process in (one, other):
        await taken(process, caller, "too_many_streams")
        assert process.held == 1
    async with AsyncExitStack() as elsewhere:
        await elsewhere.enter_async_context(other.taken(f"{caller}x"))
    await first.aclose()
    third = await taken(other, caller)
    await taken(one, caller, "too_many_streams")
    for place in (second, third):
        await place.aclose()
    assert not one.held and not other.held
    assert not await async_client().exists(places._key(caller), places._key(f"{caller}x"))


async def test_it_bounds_what_one_process_holds_by_itself(caller, settings):
    settings.TELEMETRY_STREAMS_MAX = 1
    one, other = Places(), Places()
    async with one.taken(caller):
        await taken(one, f"{caller}x", "unavailable")
        async with other.taken(caller):
            pass


async def test_a_stream_keeps_its_place_for_as_long_as_it_lasts(caller, settings, monkeypatch):
    settings.TELEMETRY_STREAMS_PER_TOKEN = 1
    monkeypatch.setattr(places, "LEASE_S", 4)
    monkeypatch.setattr(places, "RENEW_S", 0.2)
    async with Places().taken(caller):
        await asyncio.sleep(5.5)
        await taken(Places(), caller, "too_many_streams")
        # A Redis that has forgotten everything is told again.
        await async_client().delete(places._key(caller))
        await asyncio.sleep(1)
        await taken(Places(), caller, "too_many_streams")


HOLDS = """
import asyncio, sys
import django
django.setup()
from telemetry.consumers import places

async def hold(caller):
    places.LEASE_S, places.RENEW_S = 5, 0.5
    mine = places.Places()
    async with mine.taken(caller), mine.taken(caller):
        print("held", flush=True)
        await asyncio.sleep(600)

asyncio.run(hold(sys.argv[1]))
"""


async def test_a_killed_process_gives_its_places_back(caller, settings):
    settings.TELEMETRY_STREAMS_PER_TOKEN = 2
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, caller],
        cwd=ROOT,
        env={
            **os.environ,
            "REDIS_URL": django_settings.REDIS_URL,
            "DJANGO_SETTINGS_MODULE": "config.settings",
        },
        stdout=subprocess.PIPE,
    )
    try:
        assert (await asyncio.to_thread(process.stdout.readline)).strip() == b"held"
        # Far longer than a lease: only renewing keeps them.
        assert not await until_there_is_one(Places(), caller, 7)
    finally:
        process.kill()
        process.communicate(timeout=15)
    assert await until_there_is_one(Places(), caller, 30)


async def test_it_begins_nothing_without_redis(caller, monkeypatch):
    class Gone:
        async def eval(self, *arguments):
            raise RedisConnectionError("gone")

        async def zrem(self, *arguments):
            raise RedisConnectionError("gone")

    monkeypatch.setattr(places, "async_client", Gone)
    mine = Places()
    await taken(mine, caller, "unavailable")
    assert not mine.held
