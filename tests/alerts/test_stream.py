"""What a dashboard or an integrator hears of alerts at the socket."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.utils import timezone

from alerts import evaluation, life, undo
from alerts.correction import correct_due
from alerts.models import Alert, LateSpan
from alerts.rulebook import RuleBook
from config.asgi import application
from telemetry.clock import to_us
from telemetry.models import VehicleReadingRow
from tenants.actors import Actor
from tenants.models import ApiToken, Scope
from tenants.secrets import API_TOKEN, new_secret
from tests.alerts.conftest import keep, make_rule, make_vehicle, reading_of, store
from tests.telemetry.dashboards import Client

aside = sync_to_async

SPEEDING = {
    "kind": "threshold",
    "params": {"conditions": [{"metric": "speed_kmh", "op": ">", "value": 120}]},
    "severity": "high",
}


@pytest.fixture
def secret(yard):
    made = new_secret(API_TOKEN)
    token = ApiToken.objects.create(
        tenant=yard.tenant,
        name="dashboard",
        prefix=made.prefix,
        digest=made.digest,
        scopes=[Scope.TELEMETRY_READ],
    )
    yield made.plain
    token.delete()


@pytest.fixture
def forgets_history(committed):
    """What is stored for good here goes with the organisation."""
    yield
    committed()
    VehicleReadingRow.objects.all().delete()
    LateSpan.objects.all().delete()


def late(vehicle, moments, *, first_id):
    """Readings of (seconds ago, speed) that arrive now."""
    return [
        msgspec.structs.replace(
            reading_of(vehicle, ago=ago, rid=first_id + n, speed_kmh=speed),
            received_at=to_us(timezone.now()) + n,
        )
        for n, (ago, speed) in enumerate(moments)
    ]


def take_in(*readings):
    """As the writer does: stored, then appended to the log; evaluated at once."""
    keep(readings)
    store(*readings)
    evaluation.evaluate(for_seconds=0.2)


def settle():
    """As if the backlog had come to its end a while ago."""
    correct_due(RuleBook(), now=timezone.now() + timedelta(hours=1), for_seconds=30)


def drive(vehicle, rid, speed):
    store(reading_of(vehicle, ago=60 - rid, rid=rid, speed_kmh=speed))
    evaluation.evaluate(for_seconds=0.2)


async def heard_of(client, name):
    """The next event about alerts, which is this one."""
    async with asyncio.timeout(20):
        while True:
            message = await client.socket.receive_json_from(timeout=20)
            if message["type"].startswith("alert."):
                assert message["type"] == name
                return message["alert"]


async def test_it_hears_that_an_alert_was_changed(yard, secret):
    await aside(make_rule)(yard.tenant, "Speeding", SPEEDING)
    vehicle = await aside(make_vehicle)(yard, "V1")
    client = await Client(application, secret).open()
    actor = Actor.command(yard.tenant, "test")
    try:
        await aside(drive)(vehicle, 1, 140.0)
        opened = await heard_of(client, "alert.opened")
        alert = await aside(Alert.unscoped.get)()
        later = timezone.now() + timedelta(hours=1)
        await aside(life.snooze)(actor=actor, alerts=[alert], until=later)
        assert await heard_of(client, "alert.updated") == opened
        await aside(life.acknowledge)(actor=actor, alerts=[alert])
        await heard_of(client, "alert.acknowledged")
        await aside(undo.unacknowledge)(actor=actor, alerts=[alert])
        assert (await heard_of(client, "alert.updated"))["state"] == "open"
    finally:
        await client.socket.disconnect()
        await aside(connections.close_all)()


async def test_it_hears_that_history_set_an_alert_right_and_took_another_back(
    yard, secret, forgets_history
):
    await aside(make_rule)(yard.tenant, "Speeding", SPEEDING | {"duration_s": 30})
    corrected, refuted = [await aside(make_vehicle)(yard, name) for name in ("V1", "V2")]
    client = await Client(application, secret).open()
    fast = [(4000, 140.0), (3940, 140.0)]
    try:
        # It ended at the first slow reading, not at the last fast one that was seen.
        await aside(take_in)(reading_of(corrected, ago=1, rid=1, speed_kmh=20.0))
        await aside(take_in)(*late(corrected, [*fast, (3910, 20.0)], first_id=10))
        assert (await heard_of(client, "alert.resolved"))["late"] is True
        await aside(settle)()
        updated = await heard_of(client, "alert.updated")
        assert (updated["subject"], updated["late"]) == ("V1", True)
        # What lies between two fast moments shows that it was not fast for long.
        await aside(take_in)(reading_of(refuted, ago=1, rid=1, speed_kmh=20.0))
        await aside(take_in)(*late(refuted, fast, first_id=10))
        recorded = await heard_of(client, "alert.resolved")
        await aside(take_in)(*late(refuted, [(3990, 30.0), (3970, 30.0)], first_id=20))
        await aside(settle)()
        assert await heard_of(client, "alert.withdrawn") == recorded
        left = [alert.subject_reference async for alert in Alert.unscoped.all()]
        assert left == ["V1"]
    finally:
        await client.socket.disconnect()
        await aside(connections.close_all)()


async def test_it_hears_of_an_alert_from_its_opening_to_its_end(yard, secret):
    await aside(make_rule)(yard.tenant, "Speeding", SPEEDING)
    vehicle = await aside(make_vehicle)(yard, "V1")
    client = await Client(application, secret).open()
    heard = []

    async def hear(name):
        async with asyncio.timeout(20):
            while not heard or heard[-1]["type"] != name:
                message = await client.socket.receive_json_from(timeout=20)
                if message["type"].startswith("alert."):
                    heard.append(message)
        return heard[-1]["alert"]

    try:
        await aside(drive)(vehicle, 1, 140.0)
        opened = await hear("alert.opened")
        alert = await aside(Alert.unscoped.get)()
        assert opened == {
            "id": str(alert.public_id),
            "title": alert.title,
            "severity": "high",
            "state": "open",
            "late": False,
            "subject": "V1",
            "subject_kind": "v",
            "opened_at": alert.opened_at.isoformat().replace("+00:00", "Z"),
        }
        actor = Actor.command(yard.tenant, "test")
        await aside(life.acknowledge)(actor=actor, alerts=[alert])
        assert (await hear("alert.acknowledged"))["state"] == "acknowledged"
        await aside(drive)(vehicle, 2, 50.0)
        resolved = await hear("alert.resolved")
        assert (resolved["state"], resolved["id"]) == ("resolved", opened["id"])
        names = [message["type"] for message in heard]
        assert names == ["alert.opened", "alert.acknowledged", "alert.resolved"]
    finally:
        await client.socket.disconnect()
        await aside(connections.close_all)()
