"""A fleet whose readings are stored for good, and clients of its dashboard socket."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from fleet.models import Fleet, Meter, Vehicle
from telemetry.live import publish
from telemetry.patches import merged
from telemetry.records import Reading, VehicleReading
from telemetry.storage.store import Store
from tenants.models import ApiToken, Membership, Organisation, Role, Scope, User
from tenants.secrets import API_TOKEN, new_secret
from tests.telemetry.readings import SECOND, T0, vehicle_reading

aside = sync_to_async
"""Into the thread where Channels talks to the database."""


@dataclass
class Yard:
    """One organisation with a fleet; every test has its own, committed."""

    store: Store
    organisation: Organisation = field(init=False)
    fleet: Fleet = field(init=False)
    user: User = field(init=False)

    def __post_init__(self) -> None:
        name = f"yard-{secrets.token_hex(4)}"
        self.organisation = Organisation.objects.create(name=name, slug=name)
        self.user = User.objects.create(email=f"{name}@example.org")
        Membership.objects.create(tenant=self.organisation, user=self.user, role=Role.VIEWER)
        self.fleet = self.add_fleet("F1")

    def add_fleet(self, reference: str) -> Fleet:
        return Fleet.objects.create(tenant=self.organisation, reference=reference, name=reference)

    def add_vehicle(self, reference: str, fleet: Fleet | None = None) -> Vehicle:
        return Vehicle.objects.create(
            tenant=self.organisation, reference=reference, name=reference, fleet=fleet or self.fleet
        )

    def add_meter(self, reference: str) -> Meter:
        return Meter.objects.create(
            tenant=self.organisation, reference=reference, name=reference, fleet=self.fleet
        )

    def token(self, *scopes: str) -> tuple[ApiToken, str]:
        secret = new_secret(API_TOKEN)
        row = ApiToken.objects.create(
            tenant=self.organisation, name="dashboard", prefix=secret.prefix, digest=secret.digest,
            scopes=list(scopes or [Scope.TELEMETRY_READ]),
        )  # fmt: skip
        return row, secret.plain

    def say(self, *readings: Reading) -> None:
        """Store, then publish what was new, as the writer and the live route do."""
        if new := self.store.store(readings):
            publish(new)


def of(yard: Yard, vehicle: Vehicle, **values: Any) -> VehicleReading:
    """A reading of a vehicle in the yard."""
    reading: VehicleReading = vehicle_reading(vehicle.pk, tenant_id=yard.organisation.pk, **values)
    return reading


def some_readings(
    yard: Yard, vehicles: Sequence[Vehicle], choose: random.Random
) -> Iterator[VehicleReading]:
    """One to four of these vehicles', with a few values each, within the same ten seconds."""
    values = {"soc_pct": 50.0, "speed_kmh": 9.0, "driver": "A", "charging": True}
    for _ in range(choose.randint(1, 4)):
        named = choose.sample(sorted(values), choose.randint(1, 4))
        yield of(
            yard, choose.choice(vehicles), at=T0 + choose.randint(0, 9) * SECOND,
            rid=choose.randint(1, 10**6),
            attributes={choose.choice("ab"): choose.randint(0, 9)},
            **{name: values[name] for name in named},
        )  # fmt: skip


def session_of(user: User) -> SessionStore:
    """Somebody who has logged in."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return session


def merge_into(state: dict[str, Any], message: dict[str, Any]) -> None:
    """What a snapshot or an update says, into what was known before, as a browser does it."""
    for kind in ("vehicles", "meters"):
        for each in message.get(kind, ()):
            if message["type"] == "snapshot":
                each = each["state"]
            if each:
                known = state.get(each["id"])
                state[each["id"]] = merged(known, each) if known else each


class Client:
    """Speaks docs/live-protocol.md and keeps the merged state as a browser does."""

    def __init__(self, application: Any, secret: str, *, acknowledges: bool = True) -> None:
        headers = [(b"authorization", b"Bearer " + secret.encode())]
        self.socket = WebsocketCommunicator(application, "/telemetry", headers=headers)
        self.acknowledges = acknowledges
        self.state: dict[str, Any] = {}
        self.last = 0
        """Number of the last message that wants to be acknowledged."""

    async def open(self, **subscription: Any) -> Client:
        accepted, _ = await self.socket.connect()
        assert accepted
        if subscription:
            await self.send(type="subscribe", **subscription)
        return self

    async def send(self, **message: Any) -> None:
        await self.socket.send_to(text_data=json.dumps(message))

    async def next(self, *wanted: str, timeout: float = 3) -> dict[str, Any]:
        """The next message of one of these types; heartbeats are passed over."""
        while True:
            message: dict[str, Any] = json.loads(await self.socket.receive_from(timeout=timeout))
            if message["type"] == "heartbeat" and "heartbeat" not in wanted:
                continue
            assert not wanted or message["type"] in wanted, message
            await self.take(message)
            return message

    async def take(self, message: dict[str, Any]) -> None:
        merge_into(self.state, message)
        self.last = message.get("message", self.last)
        if self.acknowledges and "message" in message:
            await self.send(type="ack", message=self.last)

    async def nothing(self, seconds: float = 0.3) -> bool:
        """Whether for so long nothing came but heartbeats; what came is taken."""
        # Not by a timeout of `next`: that would cancel the application.
        while not await self.socket.receive_nothing(timeout=seconds):
            message = json.loads(await self.socket.receive_from())
            if message["type"] != "heartbeat":
                await self.take(message)
                return False
        return True

    async def closed(self, timeout: float = 3) -> int:
        """The code with which the server closes, whatever it says before."""
        while True:
            message = await self.socket.receive_output(timeout=timeout)
            if message["type"] == "websocket.close":
                return int(message.get("code", 1000))

    async def close(self) -> None:
        await self.socket.disconnect()
