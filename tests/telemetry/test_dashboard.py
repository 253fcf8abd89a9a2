"""The dashboards' socket: snapshots, changes, slow clients, gaps, strangers."""

import random

import pytest
import redis
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.utils import timezone

from config.asgi import application
from fleet.models import Vehicle
from telemetry.consumers import feed, room, window
from telemetry.live import publish
from telemetry.rooms import counter_of
from tests.telemetry.dashboards import Client, Yard, aside, of, session_of, some_readings
from tests.telemetry.readings import SECOND, T0, meter_reading

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
async def clients():
    opened = []

    async def opens(secret, *, acknowledges=True, **subscription):
        client = Client(application, secret, acknowledges=acknowledges)
        opened.append(client)
        return await client.open(**subscription)

    yield opens
    for client in opened:
        await client.close()


async def test_it_sends_what_is_true_and_then_every_change(yard, vehicle, secret, clients):
    meter = await aside(yard.add_meter)("M1")
    await aside(yard.say)(of(yard, vehicle, soc_pct=80.0))
    client = await clients(secret, fleets=["F1"])
    snapshot = await client.next("snapshot")
    assert snapshot["room"] == "fleet:F1"
    assert snapshot["vehicles"][0]["state"]["values"] == {"soc_pct": 80.0}
    assert snapshot["meters"][0]["state"] is None

    await aside(yard.say)(
        of(yard, vehicle, at=T0 + SECOND, speed_kmh=51.5),
        meter_reading(meter.pk, tenant_id=yard.organisation.pk, energy="1.250"),
    )
    update = await client.next("telemetry.update")
    assert (update["first_seq"], update["seq"]) == (snapshot["seq"] + 1, snapshot["seq"] + 1)
    assert update["vehicles"][0]["values"] == {"speed_kmh": 51.5}
    assert update["meters"][0]["values"] == {"energy_ac_kwh": 1.25}
    assert client.state["V1"]["values"] == {"speed_kmh": 51.5, "soc_pct": 80.0}
    assert update["vehicles"][0]["id"] == vehicle.reference


@pytest.mark.parametrize("seed", range(4))
async def test_it_leads_from_an_old_snapshot_to_what_a_fresh_one_says(yard, secret, clients, seed):
    choose = random.Random(seed)
    vehicles = [await aside(yard.add_vehicle)(f"V{n}") for n in range(3)]

    def some():
        return some_readings(yard, vehicles, choose)

    await aside(yard.say)(*some())
    early = await clients(secret, acknowledges=False, fleets="all")
    for _ in range(12):
        if choose.random() < 0.3:
            early.acknowledges = not early.acknowledges
        await aside(yard.say)(*some())
    early.acknowledges = True
    await early.send(type="ack", message=early.last)
    while not await early.nothing():
        pass
    late = await clients(secret, fleets="all")
    await late.next("snapshot")
    assert early.state == late.state
    assert len(late.state) == 3


async def test_it_does_not_move_back_for_a_late_reading(yard, vehicle, secret, clients):
    await aside(yard.say)(of(yard, vehicle, soc_pct=50.0))
    client = await clients(secret, fleets="all")
    await client.next("snapshot")
    await aside(yard.say)(of(yard, vehicle, at=T0 - 3600 * SECOND, soc_pct=90.0, speed_kmh=70.0))
    await client.next("telemetry.update")
    assert client.state["V1"]["values"] == {"soc_pct": 50.0, "speed_kmh": 70.0}
    assert client.state["V1"]["time_us"] == T0


async def test_it_merges_for_a_client_that_reads_slowly(yard, secret, clients):
    vehicles = [await aside(yard.add_vehicle)(f"V{n}") for n in range(3)]
    client = await clients(secret, acknowledges=False, fleets="all")
    got = [await client.next("snapshot")]
    for n in range(40):
        await aside(yard.say)(
            *(of(yard, v, at=T0 + n * SECOND, soc_pct=float(n)) for v in vehicles)
        )
    while len(got) < window.WINDOW:
        got.append(await client.next("telemetry.update"))
    assert await client.nothing()

    await client.send(type="ack", message=got[-1]["message"])
    merged = await client.next("telemetry.update")
    assert merged["first_seq"] == got[-1]["seq"] + 1
    assert merged["seq"] == got[0]["seq"] + 40
    assert [patch["values"]["soc_pct"] for patch in merged["vehicles"]] == [39.0] * 3


async def test_it_goes_on_at_leisure_for_a_client_that_never_acknowledges(
    yard, vehicle, secret, clients, monkeypatch
):
    monkeypatch.setattr(window, "IMPATIENT_AFTER_S", 0.3)
    client = await clients(secret, acknowledges=False, fleets="all")
    await client.next("snapshot")
    for n in range(20):
        await aside(yard.say)(of(yard, vehicle, at=T0 + n * SECOND, soc_pct=float(n)))
    count = 0
    while client.state.get("V1", {}).get("values") != {"soc_pct": 19.0}:
        await client.next("telemetry.update")
        count += 1
    assert count < 12


async def test_it_mends_a_gap_with_a_fresh_snapshot(yard, vehicle, secret, clients, monkeypatch):
    monkeypatch.setattr(room, "SNAPSHOT_EVERY_S", 0.0)
    monkeypatch.setattr(room, "GAP_PATIENCE_S", 0.2)
    client = await clients(secret, fleets="all")
    before = await client.next("snapshot")
    # Stored, counted, but never delivered.
    await aside(yard.store.store)([of(yard, vehicle, soc_pct=33.0)])
    await aside(count_one)(yard)
    await aside(yard.say)(of(yard, vehicle, at=T0 + SECOND, speed_kmh=5.0))
    after = await client.next("snapshot")
    assert after["seq"] == before["seq"] + 2
    assert client.state["V1"]["values"] == {"speed_kmh": 5.0, "soc_pct": 33.0}
    await aside(yard.say)(of(yard, vehicle, at=T0 + 2 * SECOND, speed_kmh=6.0))
    update = await client.next("telemetry.update")
    assert update["first_seq"] == after["seq"] + 1


def count_one(yard):
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.incr(counter_of(yard.organisation.pk, yard.fleet.pk))
    client.close()


async def test_it_notices_that_the_last_message_of_all_was_lost(
    yard, vehicle, secret, clients, monkeypatch
):
    monkeypatch.setattr(room, "SNAPSHOT_EVERY_S", 0.0)
    monkeypatch.setattr(feed, "CHECK_S", 0.1)
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.1)
    client = await clients(secret, fleets="all")
    await client.next("snapshot")
    await aside(yard.store.store)([of(yard, vehicle, soc_pct=33.0)])
    await aside(count_one)(yard)
    await client.next("snapshot")
    assert client.state["V1"]["values"] == {"soc_pct": 33.0}


async def test_it_reads_anew_when_the_numbers_begin_again(
    yard, vehicle, secret, clients, monkeypatch
):
    monkeypatch.setattr(room, "SNAPSHOT_EVERY_S", 0.0)
    monkeypatch.setattr(feed, "CHECK_S", 0.1)
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.1)
    for _ in range(3):
        await aside(count_one)(yard)
    client = await clients(secret, fleets="all")
    await client.next("snapshot")

    def forget():
        redis.Redis.from_url(settings.REDIS_URL).delete(
            counter_of(yard.organisation.pk, yard.fleet.pk)
        )

    await aside(forget)()
    assert (await client.next("snapshot"))["seq"] == 0
    await aside(yard.say)(of(yard, vehicle, soc_pct=12.0))
    assert (await client.next("telemetry.update"))["seq"] == 1


async def test_it_notices_what_comes_goes_and_moves(yard, vehicle, secret, clients, monkeypatch):
    monkeypatch.setattr(room, "SNAPSHOT_EVERY_S", 0.0)
    monkeypatch.setattr(feed, "CHECK_S", 0.1)
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr("telemetry.snapshots.ROSTER_SECONDS", 0)
    other = await aside(yard.add_fleet)("F2")
    client = await clients(secret, fleets=["F1", "F2"])
    assert {(await client.next("snapshot"))["room"] for _ in range(2)} == {"fleet:F1", "fleet:F2"}
    new = await aside(yard.add_vehicle)("V2")
    snapshot = await client.next("snapshot")
    assert [entry["id"] for entry in snapshot["vehicles"]] == ["V1", "V2"]

    await aside(Vehicle.unscoped.filter(pk=new.pk).update)(fleet=other)
    found = {}
    for _ in range(2):
        snapshot = await client.next("snapshot")
        found[snapshot["room"]] = [entry["id"] for entry in snapshot["vehicles"]]
    assert found == {"fleet:F1": ["V1"], "fleet:F2": ["V2"]}


async def test_it_sends_only_the_vehicles_that_were_asked_for(yard, vehicle, secret, clients):
    other = await aside(yard.add_vehicle)("V2")
    client = await clients(secret, vehicles=["V1"])
    snapshot = await client.next("snapshot")
    assert [entry["id"] for entry in snapshot["vehicles"]] == ["V1"]
    await aside(yard.say)(of(yard, other, soc_pct=1.0))
    await aside(yard.say)(of(yard, vehicle, soc_pct=2.0))
    update = await client.next("telemetry.update")
    assert [patch["id"] for patch in update["vehicles"]] == ["V1"]
    assert update["seq"] - snapshot["seq"] == 2
    await client.send(type="unsubscribe", vehicles=["V1"])
    assert (await client.next("left"))["room"] == "fleet:F1"


async def test_it_shows_an_outsider_nothing(yard, vehicle, clients, committed):
    other = await aside(lambda: Yard(yard.store))()
    strangers_secret = (await aside(other.token)())[1]
    await aside(yard.add_fleet)("SECRET")
    client = await clients(strangers_secret, fleets=["F1", "SECRET"], vehicles=["V1"])
    refused = await client.next("error")
    assert (refused["code"], refused["names"]) == ("not_found", ["fleet:SECRET", "vehicle:V1"])
    snapshot = await client.next("snapshot")
    assert snapshot["vehicles"] == []
    await aside(yard.say)(of(yard, vehicle, soc_pct=1.0))
    assert await client.nothing()


@pytest.mark.parametrize("headers", [
    [],
    [(b"authorization", b"Bearer ort_abcdefghijkl_nonsense")],
    [(b"authorization", b"Basic x")],
    [(b"cookie", b"sessionid=nonsense"), (b"origin", b"http://testserver")],
])  # fmt: skip
async def test_it_refuses_at_the_handshake_whoever_is_nobody(yard, headers):
    socket = WebsocketCommunicator(application, "/telemetry", headers=headers)
    accepted, _ = await socket.connect()
    assert not accepted
    await socket.disconnect()


async def test_it_refuses_a_token_that_may_only_send(yard):
    _, secret = await aside(yard.token)("telemetry:write")
    client = Client(application, secret)
    accepted, _ = await client.socket.connect()
    assert not accepted


async def test_it_lets_a_member_in_by_session_from_our_own_pages_only(yard, vehicle):
    session = await aside(session_of)(yard.user)
    cookie = (b"cookie", f"sessionid={session.session_key}".encode())
    outcomes = []
    for origin in (b"http://localhost", b"http://elsewhere.example"):
        headers = [cookie, (b"host", b"localhost"), (b"origin", origin)]
        socket = WebsocketCommunicator(application, "/telemetry", headers=headers)
        outcomes.append((await socket.connect())[0])
        await socket.disconnect()
    assert outcomes == [True, False]


async def test_it_takes_a_token_as_a_subprotocol(yard, vehicle, secret):
    protocol = f"bearer.{secret}"
    socket = WebsocketCommunicator(application, "/telemetry", subprotocols=[protocol])
    assert await socket.connect() == (True, protocol)
    await socket.disconnect()


async def test_it_closes_at_once_when_it_is_told_that_a_token_was_revoked(yard, clients):
    token, secret = await aside(yard.token)()
    client = await clients(secret, fleets="all")
    await client.next("snapshot")
    token.revoked_at = timezone.now()
    await aside(token.save)()
    await get_channel_layer().group_send(f"access.token.{token.pk}", {"type": "access.changed"})
    assert await client.closed(timeout=1) == 4401


async def test_it_notices_by_itself_that_a_person_logged_out(yard, monkeypatch):
    monkeypatch.setattr(feed, "CHECK_S", 0.1)
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.1)
    session = await aside(session_of)(yard.user)
    headers = [
        (b"cookie", f"sessionid={session.session_key}".encode()),
        (b"host", b"localhost"),
        (b"origin", b"http://localhost"),
    ]
    client = Client(application, "")
    client.socket = WebsocketCommunicator(application, "/telemetry", headers=headers)
    await client.open(fleets="all")
    await client.next("snapshot")
    await aside(session.delete)()
    assert await client.closed() == 4401


@pytest.mark.parametrize("text", [
    "", "null", "[]", "{", '{"type":"subscribe","fleets":5}', '{"type":"nonsense"}', "NaN",
    '{"type":"ack","message":99}', '{"type":"subscribe","extra":1}', "[" * 20000,
    '{"type":"subscribe","fleets":["' + "x" * 65 + '"]}', "\ud800",
])  # fmt: skip
async def test_it_answers_garbage_with_the_reason_and_closes(yard, secret, clients, text):
    client = await clients(secret)
    await client.socket.send_input({"type": "websocket.receive", "text": text})
    assert (await client.next("error"))["code"] == "malformed"
    assert await client.closed() == 4400


async def test_it_closes_on_binary_on_too_much_and_on_too_many(yard, secret, clients):
    binary, large, flood = [await clients(secret) for _ in range(3)]
    await binary.socket.send_to(bytes_data=b"\x00\xff")
    assert await binary.closed() == 4400
    await large.socket.send_to(text_data="x" * 70_000)
    assert await large.closed() == 4413
    for _ in range(200):
        await flood.send(type="ack", message=0)
    assert await flood.closed() == 4429


async def test_it_keeps_sending_to_the_others_when_one_sends_garbage(
    yard, vehicle, secret, clients
):
    good = await clients(secret, fleets="all")
    await good.next("snapshot")
    bad = await clients(secret, fleets="all")
    await bad.socket.send_to(text_data="{")
    await bad.closed()
    await aside(yard.say)(of(yard, vehicle, soc_pct=1.0))
    await good.next("telemetry.update")


async def test_it_tells_the_time_so_that_a_dead_connection_shows(yard, secret, clients):
    client = await clients(secret)
    beat = await client.next("heartbeat")
    assert abs(beat["server_time_us"] / 1e6 - timezone.now().timestamp()) < 5


async def test_it_asks_for_a_snapshot_where_the_log_lost_entries(
    yard, vehicle, secret, clients, monkeypatch
):
    monkeypatch.setattr(room, "SNAPSHOT_EVERY_S", 0.0)
    monkeypatch.setattr(feed, "CHECK_S", 0.1)
    monkeypatch.setattr(feed, "HEARTBEAT_S", 0.1)
    client = await clients(secret, fleets="all")
    await client.next("snapshot")
    await aside(yard.store.store)([of(yard, vehicle, soc_pct=21.0)])
    await aside(publish.on_gap)(0)
    await client.next("snapshot")
    assert client.state["V1"]["values"] == {"soc_pct": 21.0}


async def test_it_lets_no_fleet_wait_behind_a_livelier_one(yard, secret, clients):
    lively = await aside(yard.add_vehicle)("V1")
    seldom = await aside(yard.add_vehicle)("V2", await aside(yard.add_fleet)("F2"))
    client = await clients(secret, acknowledges=False, fleets="all")
    for _ in range(2):
        last = await client.next("snapshot")
    await client.send(type="ack", message=last["message"])
    for n in range(window.WINDOW):
        await aside(yard.say)(of(yard, lively, at=T0 + n * SECOND, soc_pct=float(n)))
        last = await client.next("telemetry.update")
    # Nothing more may go; then both have news, and there is room for one message.
    await aside(yard.say)(
        of(yard, lively, at=T0 + 60 * SECOND, soc_pct=60.0),
        of(yard, seldom, at=T0 + 60 * SECOND, soc_pct=61.0),
    )
    assert await client.nothing()
    await client.send(type="ack", message=last["message"] - window.WINDOW + 1)
    told = {(await client.next("telemetry.update"))["room"] for _ in range(2)}
    assert told == {"fleet:F1", "fleet:F2"}
