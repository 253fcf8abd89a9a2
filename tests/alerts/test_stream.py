"""What a dashboard or an integrator hears of alerts at the socket."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from alerts import evaluation, life
from alerts.models import Alert
from config.asgi import application
from tenants.actors import Actor
from tenants.models import ApiToken, Scope
from tenants.secrets import API_TOKEN, new_secret
from tests.alerts.conftest import make_rule, make_vehicle, reading_of, store
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


def drive(vehicle, rid, speed):
    store(reading_of(vehicle, ago=60 - rid, rid=rid, speed_kmh=speed))
    evaluation.evaluate(for_seconds=0.2)


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
