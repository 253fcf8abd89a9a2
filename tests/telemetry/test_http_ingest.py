"""HTTP ingest through the ASGI application, on a real Redis and a real database."""

import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator

from config.asgi_ingest import application
from fleet import services as fleet_services
from fleet.models import Vehicle
from telemetry import ingest, quarantine, streams
from telemetry.models import QuarantinedFrame
from tenants import services
from tenants.models import Scope
from tests import people

pytestmark = pytest.mark.usefixtures("committed", "empty_logs")

TIME = "2024-02-08T12:00:00Z"
METER_BODY = {"meterId": "M123", "kwhConsumedAc": 45.2, "voltage": 230.1, "timestamp": TIME}
VEHICLE_BODY = {
    "vehicleId": "V456", "soc": 82.5, "kwhDeliveredDc": 38.1, "batteryTemp": 32.2,
    "timestamp": TIME,
}  # fmt: skip
JSON = "application/json"


@pytest.fixture
def tenant(committed):
    tenant = people.an_organisation()
    people.a_vehicle(tenant, "V456")
    people.a_meter(tenant, "M123")
    return tenant


@pytest.fixture
def token(tenant):
    return people.a_token(tenant, Scope.TELEMETRY_WRITE)


async def post(body, token=None, content_type=JSON, *, method="POST", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = [(b"host", b"localhost"), (b"content-type", content_type.encode())]
    if token:
        sent.append((b"authorization", f"Bearer {token}".encode()))
    sent += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    communicator = ApplicationCommunicator(
        application,
        {
            "type": "http", "method": method, "path": "/v1/telemetry/ingest", "headers": sent,
            "query_string": b"", "http_version": "1.1", "scheme": "https",
            "server": ("localhost", 443), "client": ("127.0.0.1", 1),
        },
    )  # fmt: skip
    await communicator.send_input({"type": "http.request", "body": raw, "more_body": False})
    start = await communicator.receive_output(10)
    answer = await communicator.receive_output(10)
    found = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return start["status"], json.loads(answer["body"] or b"null"), found


def in_the_log():
    found = []
    for partition in range(streams.INGRESS.partitions):
        entries = streams.sync_client().xrange(streams.INGRESS.keys(partition)[0])
        found += [r for _, e in entries for r in streams.decode_readings(e[b"b"])]
    return found


def quarantined():
    while quarantine.drain():
        pass
    return list(QuarantinedFrame.objects.order_by("pk"))


async def test_it_accepts_both_bodies_once_they_are_durable(token):
    status, answer, headers = await post([METER_BODY, VEHICLE_BODY], token)
    assert (status, headers["content-type"]) == (202, JSON)
    assert answer == {
        "results": [{"index": 0, "status": "accepted"}, {"index": 1, "status": "accepted"}],
        "accepted": 2, "duplicate": 0, "refused": 0,
    }  # fmt: skip
    found = await sync_to_async(in_the_log)()
    assert {(type(r).__name__, str(r.time)) for r in found} == {
        ("MeterReading", "1707393600000000"),
        ("VehicleReading", "1707393600000000"),
    }
    assert {r.protocol for r in found} == {"http.v1"}
    assert {r.device_id for r in found} == {None}


async def test_it_accepts_one_object(token):
    status, answer, _ = await post(METER_BODY, token)
    assert (status, answer["accepted"]) == (202, 1)


@pytest.mark.parametrize("zipped", [True, False])
async def test_it_accepts_a_line_each(token, zipped):
    body = b"\n".join(json.dumps({**VEHICLE_BODY, "soc": n}).encode() for n in range(100))
    headers = {"content_encoding": "gzip"} if zipped else {}
    body = gzip.compress(body) if zipped else body
    status, answer, _ = await post(body, token, "application/x-ndjson", **headers)
    assert (status, answer["accepted"]) == (202, 100)
    found = await sync_to_async(in_the_log)()
    assert [r.soc_pct for r in found] == list(range(100)), "in the order they were sent"


async def test_it_tells_a_duplicate_within_a_request(token):
    status, answer, _ = await post([METER_BODY, METER_BODY], token)
    assert (status, answer["accepted"], answer["duplicate"]) == (202, 1, 1)
    assert len(await sync_to_async(in_the_log)()) == 1


async def test_it_refuses_with_code_and_field_and_keeps_the_bytes(token):
    bad = {**VEHICLE_BODY, "soc": 130}
    status, answer, _ = await post([METER_BODY, bad], token)
    assert status == 202
    assert answer["results"][1] == {
        "index": 1, "status": "refused", "code": "out_of_range", "field": "soc",
        "detail": "130 is not in [0, 100]",
    }  # fmt: skip
    [frame] = await sync_to_async(quarantined)()
    assert (frame.code, frame.field, frame.adapter) == ("out_of_range", "soc", "http.v1")
    assert json.loads(bytes(frame.raw)) == bad


async def test_it_says_so_where_all_are_refused(token):
    unknown = {**VEHICLE_BODY, "vehicleId": "V999"}
    status, answer, headers = await post([unknown, {"x": 1}], token)
    assert (status, headers["content-type"]) == (422, "application/problem+json")
    assert (answer["code"], answer["refused"]) == ("all_refused", 2)
    assert [r["code"] for r in answer["results"]] == ["unknown_vehicle", "unknown_field"]
    frames = await sync_to_async(quarantined)()
    assert sorted(f.code for f in frames) == ["unknown_field", "unknown_vehicle"]


async def test_it_answers_for_another_tenants_vehicle_as_for_none(token, committed):
    def elsewhere():
        other = people.an_organisation()
        people.a_vehicle(other, "OTHER-1")

    await sync_to_async(elsewhere)()
    answers = [
        (await post({**VEHICLE_BODY, "vehicleId": name}, token))[1]["results"]
        for name in ("OTHER-1", "NOBODY")
    ]
    assert answers[0] == answers[1]
    assert await sync_to_async(in_the_log)() == []


async def test_it_answers_for_an_archived_vehicle_as_for_none(tenant, token):
    def archive():
        vehicle = Vehicle.objects.for_tenant(tenant).get()
        fleet_services.archive_vehicle(actor=people.acting(tenant), vehicle=vehicle)

    assert (await post(VEHICLE_BODY, token))[0] == 202
    await sync_to_async(archive)()
    status, answer, _ = await post([VEHICLE_BODY, METER_BODY], token)
    assert status == 202
    assert answer["results"][0]["code"] == "unknown_vehicle"
    assert answer["results"][1]["status"] == "accepted"


async def test_it_takes_a_devices_own_readings_and_no_others(tenant):
    def device():
        vehicle = people.a_vehicle(tenant, "V1")
        return people.a_device(tenant, vehicle=vehicle)

    made, secret = await sync_to_async(device)()
    status, answer, _ = await post(
        [{**VEHICLE_BODY, "vehicleId": "V1"}, VEHICLE_BODY, METER_BODY], secret
    )
    assert status == 202
    assert [r.get("code") for r in answer["results"]] == [None, "unknown_vehicle", "unknown_meter"]
    [found] = await sync_to_async(in_the_log)()
    assert found.device_id == made.pk


async def test_it_refuses_callers_it_does_not_know(tenant):
    read_only = await sync_to_async(people.a_token)(tenant, Scope.TELEMETRY_READ)
    assert (await post(METER_BODY))[0] == 401
    assert (await post(METER_BODY, "nonsense"))[0] == 401
    assert (await post(METER_BODY, "ord_000000000000_x"))[0] == 401
    status, answer, _ = await post(METER_BODY, read_only)
    assert (status, answer["code"]) == (403, "scope_missing")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed"),
        (b"", 400, "malformed"),
        (b"[]", 400, "malformed"),
        (b"5", 400, "malformed"),
        (b"\xff\xfe", 400, "malformed"),
        (b"[" * 100_000, 400, "malformed"),
        (b"[" + b"1," * 10_000 + b"1]", 413, "too_large"),
        (b" " * (10 * 1024 * 1024 + 1), 413, "too_large"),
        (b" " * (17 * 1024 * 1024), 413, "too_large"),
    ],
)
async def test_it_answers_a_body_that_is_none(token, body, status, code):
    found, answer, _ = await post(body, token)
    assert (found, answer["code"]) == (status, code)


async def test_it_keeps_a_body_that_is_no_json(token):
    await post(b"{nonsense", token)
    [frame] = await sync_to_async(quarantined)()
    assert (bytes(frame.raw), frame.code) == (b"{nonsense", "malformed")


async def test_it_unpacks_no_bomb(token):
    bomb = gzip.compress(b" " * (200 * 1024 * 1024), 9)
    status, answer, _ = await post(bomb, token, content_encoding="gzip")
    assert (status, answer["code"]) == (413, "too_large")
    for broken in (b"not gzip", gzip.compress(b"[]")[:-4]):
        assert (await post(broken, token, content_encoding="gzip"))[0] == 400


@pytest.mark.parametrize(
    ("content_type", "coding"),
    [("text/plain", "identity"), ("", "identity"), ("application/xml", "identity"), (JSON, "br")],
)
async def test_it_says_what_it_does_not_read(token, content_type, coding):
    status, answer, _ = await post(METER_BODY, token, content_type, content_encoding=coding)
    assert (status, answer["code"]) == (415, "unsupported_media_type")


async def test_it_knows_one_method(token):
    assert (await post(b"", token, method="GET"))[0] == 405


async def test_it_asks_to_come_again_while_the_log_is_full(token, monkeypatch):
    monkeypatch.setattr(streams.INGRESS, "max_bytes", 10)
    for partition in range(streams.INGRESS.partitions):
        streams.INGRESS.append(partition, streams.encode_readings([]), 0)
    settings_timeout = 0.2
    monkeypatch.setattr("django.conf.settings.TELEMETRY_HTTP_TIMEOUT_S", settings_timeout)
    for _ in range(2):  # the first finds out, the second is told at once
        status, answer, headers = await post(METER_BODY, token)
        assert (status, answer["code"]) == (503, "unavailable")
        assert int(headers["retry-after"]) >= 1
    monkeypatch.undo()
    await ingest.door().drain(3)
    status, answer, _ = await post(METER_BODY, token)
    assert status == 202


async def test_it_answers_a_database_that_is_away_with_503(token, monkeypatch):
    from django.db import OperationalError

    def away(*_):
        raise OperationalError("the database is away")

    monkeypatch.setattr("telemetry.api.ingest._identify", away)
    status, answer, headers = await post(METER_BODY, token)
    assert (status, answer["code"], headers["retry-after"]) == (503, "unavailable", "2")


async def test_it_tells_what_history_has_already(token, tenant):
    """Through the writer's own statement, so that the look-up reads what is really stored."""
    from telemetry.storage.connection import connect
    from telemetry.storage.store import Store

    await post([METER_BODY, VEHICLE_BODY], token)

    def store():
        with connect("test") as connection:
            Store(connection).store(in_the_log(), redelivered=False)

    await sync_to_async(store)()
    status, answer, _ = await post([METER_BODY, {**VEHICLE_BODY, "soc": 81}, VEHICLE_BODY], token)
    assert status == 202
    assert [r["status"] for r in answer["results"]] == ["duplicate", "accepted", "duplicate"]
    assert len(await sync_to_async(in_the_log)()) == 3


async def test_it_knows_what_it_took_in_a_moment_ago(token):
    """A caller that lost the answer sends again, and the writer may be far behind."""
    await post([METER_BODY, VEHICLE_BODY], token)
    status, answer, _ = await post([VEHICLE_BODY, {**VEHICLE_BODY, "soc": 81}, METER_BODY], token)
    assert status == 202
    assert [r["status"] for r in answer["results"]] == ["duplicate", "accepted", "duplicate"]
    assert len(await sync_to_async(in_the_log)()) == 3


async def test_it_takes_the_same_reading_in_once_from_callers_at_the_same_time(token):
    answers = await asyncio.gather(*(post(VEHICLE_BODY, token) for _ in range(10)))
    assert {status for status, _, _ in answers} == {202}
    assert sorted(answer["accepted"] for _, answer, _ in answers) == [0] * 9 + [1]
    assert len(await sync_to_async(in_the_log)()) == 1


async def test_it_calls_nothing_a_duplicate_that_is_not_durable(token, monkeypatch):
    monkeypatch.setattr("django.conf.settings.TELEMETRY_HTTP_TIMEOUT_S", 0.3)
    monkeypatch.setattr(streams.INGRESS, "max_bytes", 10)
    for partition in range(streams.INGRESS.partitions):
        streams.INGRESS.append(partition, streams.encode_readings([]), 0)
    for _ in range(3):
        assert (await post(VEHICLE_BODY, token))[0] == 503
    assert await sync_to_async(in_the_log)() == []
    monkeypatch.undo()
    assert await ingest.door().drain(5)
    status, answer, _ = await post(VEHICLE_BODY, token)
    assert (status, answer["duplicate"]) == (202, 1)
    assert len(await sync_to_async(in_the_log)()) == 1, "however often it was sent"


async def test_it_serves_many_at_once(token):
    bodies = [{**VEHICLE_BODY, "soc": n} for n in range(40)]
    answers = await asyncio.gather(*(post(body, token) for body in bodies))
    assert {status for status, _, _ in answers} == {202}
    assert len(await sync_to_async(in_the_log)()) == 40


async def test_it_refuses_what_retention_would_take_away_again(tenant, token):
    def keep_for_ten_days():
        services.update_organisation(actor=people.acting(tenant), retention_days=10)
        return people.a_device(tenant, vehicle=Vehicle.objects.for_tenant(tenant).get())[1]

    secret = await sync_to_async(keep_for_ten_days)()
    now = datetime.now(UTC)
    kept, gone = (
        {**VEHICLE_BODY, "timestamp": (now - timedelta(days=days)).isoformat()} for days in (10, 12)
    )
    for soc, credential in enumerate((token, secret)):
        status, answer, _ = await post([gone, {**kept, "soc": soc}], credential)
        assert status == 202
        refused, accepted = answer["results"]
        assert (refused["code"], refused["field"]) == ("bad_time", "timestamp")
        assert "history is kept since" in refused["detail"]
        assert accepted["status"] == "accepted"

    frames = await sync_to_async(quarantined)()
    assert [frame.code for frame in frames] == ["bad_time", "bad_time"]
    assert (await sync_to_async(replayed)())[0].startswith("bad_time")


# --- The quarantine --------------------------------------------------------------------------
async def test_it_writes_a_refusal_once_although_its_entry_comes_twice(token, monkeypatch):
    await post({"x": 1}, token)

    def drain_and_crash_before_the_acknowledgement():
        monkeypatch.setattr(streams.QUARANTINE, "ack", lambda *_: 0)
        quarantine.drain()
        quarantine.drain()
        monkeypatch.undo()
        return quarantined()

    assert len(await sync_to_async(drain_and_crash_before_the_acknowledgement)()) == 1
    assert streams.QUARANTINE.depth(0).entries == 0


async def test_it_takes_a_replay_in_once_the_cause_is_fixed(token, tenant):
    await post({**VEHICLE_BODY, "vehicleId": "V7"}, token)
    [frame] = await sync_to_async(quarantined)()

    def replay():
        return dict(quarantine.replay(QuarantinedFrame.objects.all()))

    assert await sync_to_async(replay)() == {"unknown vehicle V7": 1}
    vehicle = await sync_to_async(people.a_vehicle)(tenant, "V7")
    assert await sync_to_async(replay)() == {"accepted": 1}
    assert await sync_to_async(replay)() == {"already accepted": 1}
    [found] = await sync_to_async(in_the_log)()
    assert (found.vehicle_id, found.soc_pct) == (vehicle.pk, 82.5)
    assert found.received_at == round(frame.received_at.timestamp() * 1_000_000)
    await sync_to_async(frame.refresh_from_db)()
    assert frame.replay_outcome == "accepted"
    assert frame.replayed_at is not None


async def test_it_does_not_believe_a_future_time_because_one_waited(token, tenant, settings):
    settings.TELEMETRY_FUTURE_TOLERANCE_S = 0
    ahead = datetime.now(UTC).timestamp() + 1
    await post({**VEHICLE_BODY, "timestamp": int(ahead * 1000)}, token)
    await sync_to_async(quarantined)()
    await asyncio.sleep(1.2)

    def replay():
        return list(quarantine.replay(QuarantinedFrame.objects.all()))

    [outcome] = await sync_to_async(replay)()
    assert outcome.startswith("future_time")


def replayed():
    return list(quarantine.replay(QuarantinedFrame.objects.order_by("pk")))


async def test_it_keeps_a_replay_for_later_while_the_log_is_full(token, tenant, monkeypatch):
    from tenants.errors import DomainError

    await post({**VEHICLE_BODY, "vehicleId": "V8"}, token)
    await sync_to_async(quarantined)()
    await sync_to_async(people.a_vehicle)(tenant, "V8")
    monkeypatch.setattr(streams.INGRESS, "max_bytes", 10)
    for partition in range(streams.INGRESS.partitions):
        streams.INGRESS.append(partition, streams.encode_readings([]), 0)

    def replay():
        with pytest.raises(DomainError) as raised:
            quarantine.replay(QuarantinedFrame.objects.all())
        return raised.value.status, QuarantinedFrame.objects.get().replay_outcome

    assert await sync_to_async(replay)() == (503, "")
