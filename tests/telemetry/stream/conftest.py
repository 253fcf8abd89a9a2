"""Streams of the fleet."""

import pytest

from config.asgi import application
from telemetry import horizon
from telemetry.consumers import feed, room
from tests.telemetry.stream.events import Events


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
