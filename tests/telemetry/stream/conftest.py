"""An organisation with a fleet, and streams of it."""

import pytest
from django.db import connections

from config.asgi import application
from telemetry import horizon
from telemetry.consumers import feed, room
from telemetry.storage.connection import connect
from telemetry.storage.store import Store
from tests.telemetry.dashboards import Yard
from tests.telemetry.stream.events import Events, aside


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
async def streams():
    opened = []

    async def opens(query="", *, state=None, **options):
        one = Events(application, query, **options)
        opened.append(one)
        return await one.open(state)

    yield opens
    for one in opened:
        await one.close()


@pytest.fixture
def brisk(monkeypatch):
    """Ids move on at once: what takes half a minute in earnest."""
    monkeypatch.setattr(feed, "CHECK_S", 0.1)
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(room, "SNAPSHOT_EVERY_S", 0.0)
    monkeypatch.setattr(room, "GAP_PATIENCE_S", 0.1)
    monkeypatch.setattr(horizon, "SKEW_S", 0.5)
    monkeypatch.setattr(horizon, "PUBLISHED_SECONDS", 0)
