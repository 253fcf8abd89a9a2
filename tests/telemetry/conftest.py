"""Logs of the tests: real ones, under a prefix of their own, empty at the start of a test. And
organisations: `yard` for those who watch a fleet, `tenant` for a device that sends."""

import pytest
from django.conf import settings
from django.db import connections

from telemetry import streams
from telemetry.storage.connection import connect
from telemetry.storage.store import Store
from tests import people
from tests.telemetry.dashboards import Yard, aside


@pytest.fixture
def empty_logs():
    client = streams.sync_client()

    def sweep() -> None:
        for key in client.scan_iter(f"{settings.REDIS_PREFIX}:{{*", count=1000):
            client.delete(key)

    sweep()
    yield
    sweep()


@pytest.fixture
async def yard(committed):
    held = connect("outrider tests")
    yield await aside(lambda: Yard(Store(held)))()
    held.close()
    await aside(connections.close_all)()


@pytest.fixture
async def vehicle(yard):
    return await aside(yard.add_vehicle)("V1")


@pytest.fixture
async def secret(yard):
    return (await aside(yard.token)())[1]


@pytest.fixture
def tenant(committed):
    return people.an_organisation()


@pytest.fixture
def device(tenant):
    return people.a_device(tenant, "D1", vehicle=people.a_vehicle(tenant, "V1"))
