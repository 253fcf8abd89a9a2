"""An event stream goes on where it was interrupted, and leaves nothing out."""

import asyncio
import random
from dataclasses import replace

import pytest
import redis
from django.conf import settings

from fleet.models import Vehicle
from telemetry import horizon
from telemetry.consumers import marks
from telemetry.rooms import counter_of
from telemetry.storage.connection import connect
from tests.telemetry.dashboards import Yard, aside, of, some_readings
from tests.telemetry.readings import SECOND, T0
from tests.telemetry.stream.events import moved_on, resumed

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")


async def test_it_goes_on_with_what_changed_and_nothing_else(yard, vehicle, secret, streams):
    other = await aside(yard.add_vehicle)("V2")
    await aside(yard.say)(of(yard, vehicle, soc_pct=80.0), of(yard, other, soc_pct=50.0))
    await settled()
    one = await streams(secret=secret)
    await one.next("snapshot")
    await one.nothing()
    await one.close()
    await aside(yard.say)(of(yard, other, at=T0 + SECOND, soc_pct=49.0))
    again = await resumed(streams, one, secret)
    assert (await again.next())["type"] == "resumed"
    update = await again.next("telemetry.update")
    assert [patch["id"] for patch in update["vehicles"]] == ["V2"]
    assert again.state["V1"]["values"] == {"soc_pct": 80.0}
    assert again.state["V2"]["values"] == {"soc_pct": 49.0}
    assert await again.nothing()
    await aside(yard.say)(of(yard, vehicle, at=T0 + SECOND, soc_pct=79.0))
    following = await again.next("telemetry.update")
    assert following["first_seq"] == update["seq"] + 1


async def settled():
    """Until no transaction is running that was there when the last one wrote: somebody else's
    on the same server, too, has everything since told once more."""
    written = (await aside(horizon.look)()).newest
    for _ in range(200):
        if (await aside(horizon.look)()).horizon >= written:
            return
        await asyncio.sleep(0.1)
    pytest.skip("another transaction on this server does not end")


async def test_it_goes_on_by_the_query_as_by_the_header(yard, vehicle, secret, streams):
    one = await streams(secret=secret)
    await one.next("snapshot")
    await one.nothing()
    again = await streams(f"after={one.id}", secret=secret)
    assert (await again.next())["type"] == "resumed"
    # A browser repeats its address and adds the header: the header is the newer one.
    headers = [(b"last-event-id", one.id.encode())]
    again = await streams("after=nonsense", secret=secret, headers=headers)
    assert (await again.next())["type"] == "resumed"


async def test_it_goes_on_over_a_late_reading(yard, vehicle, secret, streams):
    """It changes the state, and neither its time nor when the newest reading was received."""
    await aside(yard.say)(of(yard, vehicle, soc_pct=50.0))
    one = await streams(secret=secret)
    await one.next("snapshot")
    await one.nothing()
    await one.close()
    await aside(yard.say)(of(yard, vehicle, at=T0 - 3600 * SECOND, speed_kmh=70.0))
    again = await resumed(streams, one, secret)
    await again.until("telemetry.update")
    assert again.state["V1"]["values"] == {"soc_pct": 50.0, "speed_kmh": 70.0}


async def test_it_goes_on_over_a_transaction_that_was_open(yard, vehicle, secret, streams):
    """Written before the id was given out, and committed after."""
    await aside(yard.say)(of(yard, vehicle, soc_pct=50.0))
    writer = connect("outrider tests")
    writer.autocommit = False
    writer.execute("UPDATE telemetry_vehicle_latest SET soc_pct = 44 WHERE vehicle_id = %s",
                   [vehicle.pk])  # fmt: skip
    one = await streams(secret=secret)
    await one.next("snapshot")
    await one.nothing()
    assert one.state["V1"]["values"] == {"soc_pct": 50.0}
    await one.close()
    writer.commit()
    writer.close()
    headers = [(b"last-event-id", one.id.encode())]
    again = await streams(secret=secret, headers=headers)
    await again.until("telemetry.update")
    assert again.state["V1"]["values"] == {"soc_pct": 44.0}


async def test_an_id_does_not_move_past_a_message_that_was_lost(
    yard, vehicle, secret, streams, brisk, monkeypatch
):
    """Nor while the live route has yet to publish what is stored."""
    monkeypatch.setattr(horizon, "published_until", lambda: 0.0)
    one = await streams(secret=secret)
    await one.next("snapshot")
    await one.nothing()
    first = one.id
    await aside(yard.store.store)([of(yard, vehicle, soc_pct=33.0)])
    await one.nothing(1.5)
    assert one.id == first
    again = await resumed(streams, one, secret)
    await again.until("telemetry.update")
    assert again.state["V1"]["values"] == {"soc_pct": 33.0}


@pytest.mark.parametrize("seed", range(4))
async def test_it_leads_to_the_truth_however_often_it_is_interrupted(
    yard, secret, streams, brisk, seed
):
    choose = random.Random(seed)
    vehicles = [await aside(yard.add_vehicle)(f"V{n}") for n in range(3)]

    def some():
        return some_readings(yard, vehicles, choose)

    await aside(yard.say)(*some())
    one = await streams(secret=secret)
    await one.until("snapshot")
    for _ in range(12):
        what = choose.random()
        if what < 0.25:
            # Stored and counted, and never delivered.
            await aside(yard.store.store)(list(some()))
            await aside(count_one)(yard)
        else:
            await aside(yard.say)(*some())
        if choose.random() < 0.5:
            await one.nothing(choose.choice([0.01, 0.1, 0.7]))
        if choose.random() < 0.5:
            one = await resumed(streams, one, secret)
    await moved_on(one)
    late = await streams(secret=secret)
    await late.next("snapshot")
    assert one.state == late.state
    assert len(late.state) == 3


async def an_id(streams, secret, query=""):
    one = await streams(query, secret=secret)
    await one.until("snapshot")
    await one.nothing()
    await one.close()
    return marks.read(one.id)


async def test_it_begins_anew_where_it_cannot_go_on(yard, vehicle, secret, streams):
    mark = await an_id(streams, secret)
    other = await aside(lambda: Yard(yard.store))()
    theirs = await an_id(streams, (await aside(other.token)())[1])
    narrower = await an_id(streams, secret, "fleets=F1")
    silent = await an_id(streams, secret, "alerts=false")
    for reason, wrong in [
        ("changed", theirs),
        ("changed", narrower),
        ("changed", silent),
        ("ahead", replace(mark, at=mark.at + 3600)),
        ("ahead", replace(mark, horizon=mark.horizon + 10**9)),
        ("expired", replace(mark, at=mark.at - 25 * 3600)),
    ]:
        one = await streams(secret=secret, headers=[(b"last-event-id", str(wrong).encode())])
        assert (await one.next("resync"))["reason"] == reason
        assert [entry["id"] for entry in (await one.next("snapshot"))["vehicles"]] == ["V1"]


async def test_it_begins_anew_where_vehicles_came_went_or_were_renamed(
    yard, vehicle, secret, streams, monkeypatch
):
    monkeypatch.setattr("telemetry.snapshots.ROSTER_SECONDS", 0)
    mark = await an_id(streams, secret)
    await aside(Vehicle.unscoped.filter(pk=vehicle.pk).update)(name="Renamed")
    one = await streams(f"after={mark}", secret=secret)
    assert (await one.next("resync"))["reason"] == "changed"
    assert (await one.next("snapshot"))["vehicles"][0]["name"] == "Renamed"


async def test_it_notices_what_comes_while_it_is_open(
    yard, vehicle, secret, streams, brisk, monkeypatch
):
    monkeypatch.setattr("telemetry.snapshots.ROSTER_SECONDS", 0)
    one = await streams(secret=secret)
    await one.next("snapshot")
    await aside(yard.add_vehicle)("V2")
    snapshot = await one.next("snapshot")
    assert [entry["id"] for entry in snapshot["vehicles"]] == ["V1", "V2"]
    await moved_on(one)
    again = await resumed(streams, one, secret)
    assert (await again.next())["type"] == "resumed"


def count_one(yard):
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.incr(counter_of(yard.organisation.pk, yard.fleet.pk))
    client.close()
