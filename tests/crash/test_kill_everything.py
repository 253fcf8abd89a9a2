"""Any process may be killed at any moment: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from bench.installation import Installation
from tests.crash.devices import Device, now

pytestmark = pytest.mark.crash

VEHICLES = 12
VICTIMS = ("writer", "ingest", "postgres", "redis", "live", "worker", "beat", "web")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    house = Installation(Path(tmp_path_factory.mktemp("house")))
    try:
        yield house
    finally:
        house.close()


async def kill_one_after_the_other(house: Installation, stop: asyncio.Event) -> None:
    for victim in (*VICTIMS, "writer", "postgres", "redis"):
        await asyncio.sleep(2)
        house.kill(victim)
        await asyncio.sleep(0.7)
        await asyncio.to_thread(house.start, victim)
        await asyncio.sleep(1.5)
    stop.set()


async def post_until_accepted(house: Installation, token: str, stop: asyncio.Event) -> int:
    """Meter readings over HTTP, each repeated until it is taken; returns how many."""
    number = 0
    start = now() - timedelta(hours=3)
    while not stop.is_set():
        number += 1
        body = {
            "meterId": "M1",
            "kwhConsumedAc": 0.25,
            "voltage": 230.1,
            "timestamp": (start + timedelta(seconds=number)).isoformat(),
        }
        while await asyncio.to_thread(house.post, "/v1/telemetry/ingest", body, token) != 202:
            await asyncio.sleep(0.3)
        await asyncio.sleep(0.05)
    return number


def settled(house: Installation, kind: str, expected: int, seconds: float = 60) -> int:
    """Readings of vehicles or of meters in history once all are there (or time is up)."""
    deadline = time.monotonic() + seconds
    count = -1
    while time.monotonic() < deadline:
        with psycopg.connect(house.postgres.url) as connection:
            row = connection.execute(f"SELECT count(*) FROM telemetry_{kind}_reading").fetchone()  # noqa: S608
        assert row is not None
        count = int(row[0])
        if count >= expected:
            break
        time.sleep(0.5)
    return count


async def test_it_loses_and_doubles_nothing_whatever_is_killed(house: Installation) -> None:
    credentials = await asyncio.to_thread(house.open, VEHICLES)
    url = f"ws://127.0.0.1:{house.ingest_port}/device"
    start = now() - timedelta(hours=2)
    devices = [Device(url, entry["secret"], start) for entry in credentials["devices"]]
    stop = asyncio.Event()
    async with asyncio.timeout(240), asyncio.TaskGroup() as tasks:
        for device in devices:
            tasks.create_task(device.run(stop, per_second=50, batch=5))
        posting = tasks.create_task(post_until_accepted(house, credentials["token"], stop))
        tasks.create_task(kill_one_after_the_other(house, stop))

    assert not house.died(), [house.log(name)[-2000:] for name in house.died()]
    assert all(device.refused == [] for device in devices), devices[0].refused[:3]
    assert all(device.reconnections > 0 for device in devices), "nobody noticed the kills"
    sent = sum(device.sent for device in devices)
    assert sent > 2000
    assert await asyncio.to_thread(settled, house, "vehicle", sent) == sent
    # The meter's partition of the log may be behind those of the vehicles.
    posted = posting.result()
    assert await asyncio.to_thread(settled, house, "meter", posted) == posted

    with psycopg.connect(house.postgres.url) as connection:
        stored = Counter[tuple[int, int]]()
        for vehicle_id, number in connection.execute(
            "SELECT vehicle_id, (attributes->>'n')::int FROM telemetry_vehicle_reading"
        ):
            stored[vehicle_id, number] += 1
        meter_rows = connection.execute(
            "SELECT count(*), sum(energy_ac_kwh) FROM telemetry_meter_reading"
        ).fetchone()
    for entry, device in zip(credentials["devices"], devices, strict=True):
        numbers = range(1, device.acknowledged + 1)
        missing = [n for n in numbers if stored[entry["vehicle_id"], n] == 0]
        assert not missing, f"acknowledged but not stored: {missing[:20]}"
    doubled = [key for key, times in stored.items() if times > 1]
    assert not doubled, f"stored twice: {doubled[:20]}"
    assert meter_rows is not None
    assert meter_rows[0] == posted
    assert meter_rows[1] == posted * meter_rows[1] / meter_rows[0]
    # Latest state, roll-ups, logs and quarantine agree with history.
    await asyncio.to_thread(house.run, "manage.py", "verify_telemetry")
