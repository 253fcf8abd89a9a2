"""What an event stream tells: snapshots, changes, alerts."""

import pytest

from telemetry import alert_log
from telemetry.consumers import feed, marks, stream
from tests.telemetry.dashboards import aside, of
from tests.telemetry.readings import SECOND, T0, meter_reading
from tests.telemetry.stream.events import moved_on, resumed, tell_alert

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")


async def test_it_sends_what_is_true_and_then_every_change(yard, vehicle, secret, streams):
    meter = await aside(yard.add_meter)("M1")
    await aside(yard.say)(of(yard, vehicle, soc_pct=80.0))
    one = await streams(secret=secret)
    assert one.status == 200
    assert one.headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
    }
    snapshot = await one.next("snapshot")
    assert stream.RETRY_MS[0] <= one.retry <= stream.RETRY_MS[1]
    assert snapshot["room"] == "fleet:F1" and (snapshot["part"], snapshot["parts"]) == (1, 1)
    assert snapshot["vehicles"][0]["state"]["values"] == {"soc_pct": 80.0}
    assert snapshot["meters"][0]["state"] is None
    await aside(yard.say)(
        of(yard, vehicle, at=T0 + SECOND, speed_kmh=51.5),
        meter_reading(meter.pk, tenant_id=yard.organisation.pk, energy="1.250"),
    )
    update = await one.next("telemetry.update")
    assert (update["first_seq"], update["seq"]) == (snapshot["seq"] + 1, snapshot["seq"] + 1)
    assert update["vehicles"][0]["values"] == {"speed_kmh": 51.5}
    assert update["meters"][0]["values"] == {"energy_ac_kwh": 1.25}
    assert marks.read(one.id) is not None


async def test_it_answers_head_without_a_stream(yard, secret, streams):
    one = await streams(secret=secret, method="HEAD")
    assert one.status == 200
    assert await one.server.receive_output(1) == {"type": "http.response.body", "body": b""}


async def test_it_sends_large_fleets_in_parts(yard, secret, streams, monkeypatch):
    monkeypatch.setattr(feed, "PART", 2)
    for n in range(5):
        await aside(yard.add_vehicle)(f"V{n}")
    one = await streams(secret=secret)
    pieces = [await one.next("snapshot") for _ in range(3)]
    assert [(piece["part"], piece["parts"]) for piece in pieces] == [(1, 3), (2, 3), (3, 3)]
    told = [entry["id"] for piece in pieces for entry in piece["vehicles"]]
    assert told == [f"V{n}" for n in range(5)]


async def test_an_interrupted_snapshot_is_begun_anew(yard, secret, streams, monkeypatch):
    monkeypatch.setattr(feed, "PART", 1)
    for n in range(3):
        await aside(yard.add_vehicle)(f"V{n}")
    one = await streams(secret=secret)
    await one.next("snapshot")
    assert one.id == marks.NOTHING
    again = await streams(secret=secret, headers=[(b"last-event-id", one.id.encode())])
    assert (await again.next())["type"] == "snapshot"


async def test_it_sends_only_what_was_asked_for(yard, vehicle, secret, streams):
    second = await aside(yard.add_fleet)("F2")
    other = await aside(yard.add_vehicle)("V2")
    third = await aside(yard.add_vehicle)("V3", second)
    one = await streams("vehicles=V1,V3", secret=secret)
    found = {}
    for _ in range(2):
        snapshot = await one.next("snapshot")
        found[snapshot["room"]] = [entry["id"] for entry in snapshot["vehicles"]]
    assert found == {"fleet:F1": ["V1"], "fleet:F2": ["V3"]}
    await aside(yard.say)(of(yard, other, soc_pct=1.0))
    await aside(yard.say)(of(yard, third, soc_pct=2.0))
    update = await one.next("telemetry.update")
    assert [patch["id"] for patch in update["vehicles"]] == ["V3"]
    fleet = await streams("fleets=F2", secret=secret)
    assert (await fleet.next("snapshot"))["room"] == "fleet:F2"
    assert await fleet.nothing()


async def test_it_beats_with_an_id(yard, vehicle, secret, streams, brisk):
    one = await streams(secret=secret)
    await one.next("snapshot")
    await moved_on(one)
    assert one.beats > 1


async def test_it_tells_what_happens_to_alerts(yard, vehicle, secret, streams):
    deaf = await streams("alerts=false", secret=secret)
    await deaf.next("snapshot")
    one = await streams(secret=secret)
    await one.next("snapshot")
    for name in ("opened", "acknowledged", "updated", "resolved", "withdrawn"):
        await aside(tell_alert)(yard, f"alert.{name}", "hot")
        assert (await one.next(f"alert.{name}"))["alert"]["title"] == "hot"
    assert await deaf.nothing()


async def test_it_goes_on_with_the_alerts_that_were_missed_each_once(
    yard, vehicle, secret, streams
):
    one = await streams(secret=secret)
    await one.next("snapshot")
    await aside(tell_alert)(yard, "alert.opened", "0")
    await one.next("alert.opened")
    await one.close()
    for n in range(1, 251):
        await aside(tell_alert)(yard, "alert.opened", str(n))
    again = await resumed(streams, one, secret)
    await again.next("resumed")
    told = [(await again.next("alert.opened"))["alert"]["title"] for _ in range(100)]
    # Interrupted once more, in the middle.
    more = await resumed(streams, again, secret)
    await more.next("resumed")
    last = int(again.seen[-1]["alert"]["title"])
    told += [(await more.next("alert.opened"))["alert"]["title"] for _ in range(250 - last)]
    assert told[:100] == [str(n) for n in range(1, 101)]
    assert told[100:] == [str(n) for n in range(last + 1, 251)]
    assert await more.nothing()


async def test_it_says_when_alerts_were_more_than_are_kept(
    yard, vehicle, secret, streams, monkeypatch
):
    monkeypatch.setattr(alert_log, "KEPT", 10)
    for before in (0, 1):
        one = await streams(secret=secret)
        await one.next("snapshot")
        if before:
            await aside(tell_alert)(yard, "alert.opened", "first")
            await one.next("alert.opened")
        await one.nothing()
        await one.close()
        for n in range(20):
            await aside(tell_alert)(yard, "alert.opened", str(n))
        again = await resumed(streams, one, secret)
        await again.next("resumed")
        assert (await again.next("resync"))["reason"] == "alerts_lost"
        await aside(tell_alert)(yard, "alert.resolved", "x")
        await again.next("alert.resolved")


async def test_it_finds_an_alert_of_which_the_layer_lost_the_message(
    yard, vehicle, secret, streams, brisk
):
    one = await streams(secret=secret)
    await one.next("snapshot")
    event = {"type": "alert.opened", "alert": {"id": "1"}}
    await aside(alert_log.append)([(yard.organisation.pk, event)])
    await one.next("alert.opened")
