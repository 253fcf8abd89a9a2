"""Bounds of event streams, slow readers, and what is left when one ends: nothing."""

import asyncio
import json
from itertools import pairwise

import pytest
from channels.layers import get_channel_layer
from rest_framework.settings import api_settings

from config.asgi import application
from telemetry.consumers import stream
from tests.telemetry.dashboards import aside, of
from tests.telemetry.readings import SECOND, T0
from tests.telemetry.stream.events import scope_of

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")


async def test_it_bounds_the_streams_of_a_token_and_of_a_process(
    yard, vehicle, secret, streams, settings
):
    settings.TELEMETRY_STREAMS_PER_TOKEN, settings.TELEMETRY_STREAMS_MAX = 2, 3
    first, _ = [await streams(secret=secret) for _ in range(2)]
    third = await streams(secret=secret)
    assert (third.status, (await third.problem())["code"]) == (429, "too_many_streams")
    assert int(third.headers["retry-after"]) > 0
    other = (await aside(yard.token)())[1]
    assert (await streams(secret=other)).status == 200
    full = await streams(secret=other)
    assert (full.status, (await full.problem())["code"]) == (503, "unavailable")
    await first.close()
    assert (await streams(secret=secret)).status == 200


async def test_it_counts_as_a_request(yard, vehicle, secret, streams, settings, monkeypatch):
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", {"token": "2/h"})
    statuses = [(await streams(secret=secret, method="HEAD")).status for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_it_leaves_nothing_behind_when_the_client_goes(yard, vehicle, secret, streams):
    layer = get_channel_layer()
    keeper = await layer.new_channel()
    await layer.group_add("keeper", keeper)
    tasks = asyncio.all_tasks()
    one = await streams(secret=secret)
    await one.next("snapshot")
    held = layer._get_layer()
    assert len(held.groups) == 5 and len(held.channels) == 2
    await one.close()
    assert len(held.groups) == 1 and len(held.channels) == 1
    assert not stream.places.held
    for _ in range(50):
        if not asyncio.all_tasks() - tasks:
            break
        await asyncio.sleep(0.1)
    assert not {task for task in asyncio.all_tasks() - tasks if "send_for_ever" in repr(task)}


class Reader:
    """A client that takes what is sent only when it likes, as a paced server lets it."""

    def __init__(self, secret):
        self.takes = asyncio.Event()
        self.takes.set()
        self.sent = []
        self.come = asyncio.Queue()
        self.come.put_nowait({"type": "http.request", "body": b""})
        self.task = asyncio.create_task(
            application(scope_of(secret=secret), self.come.get, self.send)
        )

    async def send(self, message):
        self.sent.append(message)
        if message.get("more_body"):
            await self.takes.wait()

    def events(self):
        text = b"".join(message.get("body", b"") for message in self.sent).decode()
        return [
            json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: ")
        ]  # fmt: skip

    async def until(self, sees):
        for _ in range(100):
            if sees():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(self.events())

    async def close(self):
        self.come.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(self.task, 5)


async def test_it_merges_for_a_client_that_reads_slowly(yard, secret):
    vehicles = [await aside(yard.add_vehicle)(f"V{n}") for n in range(3)]
    reader = Reader(secret)
    await reader.until(reader.events)
    reader.takes.clear()
    for n in range(60):
        await aside(yard.say)(
            *(of(yard, v, at=T0 + n * SECOND, soc_pct=float(n)) for v in vehicles)
        )
    await asyncio.sleep(0.3)
    assert len(reader.events()) <= 2
    reader.takes.set()
    began = reader.events()[0]["seq"]
    await reader.until(lambda: reader.events()[-1].get("seq") == began + 60)
    updates = reader.events()[1:]
    assert len(updates) <= 3
    assert updates[0]["first_seq"] == began + 1
    for before, after in pairwise(updates):
        assert after["first_seq"] == before["seq"] + 1
    assert {patch["values"]["soc_pct"] for patch in updates[-1]["vehicles"]} == {59.0}
    await reader.close()


async def test_it_lets_a_client_go_that_takes_nothing(yard, vehicle, secret, monkeypatch):
    monkeypatch.setattr(stream, "STALLED_S", 0.3)
    monkeypatch.setattr(stream, "LOOK_S", 0.1)
    reader = Reader(secret)
    await reader.until(reader.events)
    reader.takes.clear()
    await aside(yard.say)(of(yard, vehicle, soc_pct=1.0))
    await reader.until(lambda: reader.sent[-1] == {"type": "http.response.body", "body": b""})
    await reader.close()
    assert not stream.places.held


async def test_it_ends_for_a_client_that_takes_nothing_when_access_ends(yard, vehicle, monkeypatch):
    monkeypatch.setattr(stream, "LOOK_S", 0.1)
    token, secret = await aside(yard.token)()
    reader = Reader(secret)
    await reader.until(reader.events)
    reader.takes.clear()
    await aside(yard.say)(of(yard, vehicle, soc_pct=1.0))
    await asyncio.sleep(0.2)
    await aside(lambda: type(token).unscoped.filter(pk=token.pk).delete())()
    await get_channel_layer().group_send(f"access.token.{token.pk}", {"type": "access.changed"})
    await reader.until(lambda: reader.events()[-1].get("code") == "access_ended")
    assert "more_body" not in reader.sent[-1]
    await reader.close()
