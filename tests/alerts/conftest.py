"""An organisation with a fleet, and the way readings come to the evaluation: the stored log."""

from __future__ import annotations

import secrets

import msgspec
import pytest
from django.utils import timezone

from alerts import channels, evaluation
from alerts.engine.spec import decode_spec, encode_spec
from alerts.models import Channel, Rule, RuleVersion
from fleet.models import Fleet, Vehicle
from telemetry.clock import from_us, to_us
from telemetry.models import VehicleReadingRow
from telemetry.records import VehicleReading
from telemetry.streams import INGRESS, STORED, partition_of, sync_client
from tenants.actors import Actor
from tenants.models import Membership, Organisation, Role, User
from tests.alerts.receivers import Mailbox, Receiver


@pytest.fixture(autouse=True)
def empty_logs():
    """Logs and memory of a test are its own."""

    def clear():
        for log in (STORED, INGRESS):
            for partition in range(log.partitions):
                sync_client().delete(*log.keys(partition))
        evaluation._partitions.clear()

    clear()
    yield
    clear()


@pytest.fixture
def tenant(db):
    return Organisation.objects.create(name="Acme", slug="acme", time_zone="Europe/Berlin")


@pytest.fixture
def owner(tenant):
    user = User.objects.create_user("owner@acme.example", "a long password")
    Membership.objects.create(tenant=tenant, user=user, role=Role.OWNER)
    return user


@pytest.fixture
def actor(tenant, owner):
    return Actor.member(tenant, owner, Role.OWNER)


@pytest.fixture
def fleet(tenant):
    return Fleet.objects.create(tenant=tenant, reference="north", name="North")


@pytest.fixture
def vehicle(fleet):
    return make_vehicle(fleet, "V1")


@pytest.fixture
def yard(committed):
    """A fleet that other processes see too. Nothing of it is in the audit trail, so that it
    can be taken away again."""
    slug = f"yard-{secrets.token_hex(4)}"
    tenant = Organisation.objects.create(name=slug, slug=slug, time_zone="Europe/Berlin")
    yield Fleet.objects.create(tenant=tenant, reference="yard", name="Yard")
    committed()
    Vehicle.objects.for_tenant(tenant).delete()
    Fleet.objects.for_tenant(tenant).delete()
    tenant.delete()


@pytest.fixture
def receiver(settings):
    settings.ALERTS_ALLOW_PRIVATE_WEBHOOKS = True
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def mailbox(settings):
    mailbox = Mailbox()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mailbox.port
    mailbox.controller.start()
    yield mailbox
    mailbox.controller.stop()


def make_rule(tenant, name, definition):
    """A rule without an audit entry: see `yard`."""
    rule = Rule.objects.create(tenant=tenant, name=name)
    rule.current = RuleVersion.objects.create(
        tenant=tenant,
        rule=rule,
        number=1,
        kind=definition["kind"],
        definition=encode_spec(decode_spec(definition)),
        created_by="test",
    )
    rule.save()
    return rule


def make_hook(tenant, url):
    """A webhook's channel without an audit entry, told about everything."""
    channel = Channel(tenant=tenant, name="Hook", kind="webhook", address=url, is_default=True)
    channels._seal(channel, channels.Sealed(channels.new_signing_secret()))
    channel.save()
    return channel


def make_vehicle(fleet, reference, **fields):
    return Vehicle.objects.create(
        tenant_id=fleet.tenant_id, fleet=fleet, reference=reference, name=reference, **fields
    )


def reading_of(vehicle, *, ago=0.0, late=0.05, rid=0, **values):
    """A reading taken `ago` seconds before now, received `late` seconds after that."""
    time = to_us(timezone.now()) - round(ago * 1_000_000)
    return VehicleReading(
        schema=1,
        tenant_id=vehicle.tenant_id,
        device_id=None,
        vehicle_id=vehicle.pk,
        time=time,
        received_at=time + round(late * 1_000_000),
        reading_id=rid,
        protocol="telemetry.v1",
        **values,
    )


def keep(readings):
    """As the writer stores them."""
    names = set(readings[0].__struct_fields__) - {"schema"}
    VehicleReadingRow.objects.bulk_create(
        VehicleReadingRow(
            **{name: getattr(reading, name) for name in names - {"time", "received_at"}},
            time=from_us(reading.time),
            received_at=from_us(reading.received_at),
        )
        for reading in readings
    )


def store(*readings):
    """Append to the stored log as the writer does: one entry a partition."""
    by_partition = {}
    for reading in readings:
        by_partition.setdefault(partition_of("v", reading.vehicle_id), []).append(reading)
    for partition, mine in by_partition.items():
        STORED.append(partition, msgspec.msgpack.encode(mine), len(mine))
