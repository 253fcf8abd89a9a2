"""Fleets, vehicles, meters and devices: what may be done to them, and what follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import DataError, IntegrityError, transaction

from fleet import revocation, selectors, services
from fleet.models import Device, DeviceCredential, Fleet, MeterMapping, Vehicle
from tenants.errors import DomainError
from tenants.models import AuditEntry, Organisation
from tests import people

pytestmark = pytest.mark.django_db

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def tenant() -> Organisation:
    return people.an_organisation()


@pytest.fixture
def actor(tenant):
    return people.acting(tenant)


@pytest.fixture
def announced(monkeypatch) -> list[tuple[int, int]]:
    """What was announced after the commit: `(device_id, close_code)`."""
    heard: list[tuple[int, int]] = []

    def announce(device_id: int, *, close_code: int = revocation.CREDENTIAL_REVOKED) -> None:
        heard.append((device_id, close_code))

    monkeypatch.setattr(revocation, "announce", announce)
    return heard


def refusal(code: str):
    return pytest.raises(DomainError, check=lambda error: error.code == code)


def actions_of(tenant: Organisation) -> list[str]:
    entries = AuditEntry.objects.for_tenant(tenant).order_by("pk")
    return list(entries.values_list("action", flat=True))


# --- fleets and vehicles --------------------------------------------------------------
def test_it_takes_a_reference_once_in_each_organisation(tenant, actor):
    people.a_vehicle(tenant, "V1")
    with refusal("reference_taken"):
        people.a_vehicle(tenant, "V1")
    people.a_vehicle(people.an_organisation(), "V1")


@pytest.mark.parametrize("reference", ["", " ", "a b", "-a", "a/b", "é", "x" * 65, "a\n"])
def test_it_keeps_malformed_references_out_of_the_database(tenant, reference):
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        people.a_fleet(tenant, reference)
    assert not Fleet.objects.for_tenant(tenant).exists()


def test_it_moves_a_vehicle_between_fleets(tenant, actor):
    vehicle = people.a_vehicle(tenant, "V1", fleet=people.a_fleet(tenant, "F1"))
    target = people.a_fleet(tenant, "F2")
    services.update_vehicle(actor=actor, vehicle=vehicle, fleet=target)
    entry = AuditEntry.objects.for_tenant(tenant).get(action="vehicle.updated")
    assert entry.changes == {"fleet": ["F1", "F2"]}
    assert selectors.fleet_of_vehicles([vehicle.pk]) == {vehicle.pk: (tenant.pk, target.pk)}


def test_it_moves_nothing_into_a_fleet_that_is_archived_or_foreign(tenant, actor):
    vehicle = people.a_vehicle(tenant, "V1")
    archived = services.archive_fleet(actor=actor, fleet=people.a_fleet(tenant, "OLD"))
    with refusal("fleet_archived"):
        services.update_vehicle(actor=actor, vehicle=vehicle, fleet=archived)
    with refusal("not_found"):
        foreign = people.a_fleet(people.an_organisation())
        services.update_vehicle(actor=actor, vehicle=vehicle, fleet=foreign)


def test_it_archives_only_empty_fleets(tenant, actor):
    fleet = people.a_fleet(tenant, "F1")
    vehicle = people.a_vehicle(tenant, "V1", fleet=fleet)
    with refusal("fleet_not_empty"):
        services.archive_fleet(actor=actor, fleet=fleet)
    services.archive_vehicle(actor=actor, vehicle=vehicle)
    services.archive_fleet(actor=actor, fleet=fleet)
    with refusal("fleet_archived"):
        services.restore_vehicle(actor=actor, vehicle=vehicle)
    services.restore_fleet(actor=actor, fleet=fleet)
    services.restore_vehicle(actor=actor, vehicle=vehicle)
    vehicle.refresh_from_db()
    assert vehicle.archived_at is None


def test_it_changes_nothing_that_is_archived(tenant, actor):
    vehicle = services.archive_vehicle(actor=actor, vehicle=people.a_vehicle(tenant, "V1"))
    with refusal("archived"):
        services.update_vehicle(actor=actor, vehicle=vehicle, name="New")


def test_it_records_a_change_once_and_an_unchanged_value_never(tenant, actor):
    vehicle = people.a_vehicle(tenant, "V1")
    services.update_vehicle(actor=actor, vehicle=vehicle, name="V1")
    services.archive_vehicle(actor=actor, vehicle=vehicle)
    services.archive_vehicle(actor=actor, vehicle=vehicle)
    actions = actions_of(tenant)
    assert "vehicle.updated" not in actions
    assert actions.count("vehicle.archived") == 1


def test_it_touches_nothing_of_another_organisation(tenant, actor):
    other = people.an_organisation()
    vehicle, meter = people.a_vehicle(other, "V1"), people.a_meter(other, "M1")
    device, _ = people.a_device(other, "D1")
    mapping = services.map_meter(
        actor=people.acting(other), meter=meter, vehicle=vehicle, valid_from=JANUARY
    )
    for attempt in (
        lambda: services.update_vehicle(actor=actor, vehicle=vehicle, name="Mine"),
        lambda: services.archive_vehicle(actor=actor, vehicle=vehicle),
        lambda: services.reveal_vin(actor=actor, vehicle=vehicle, reason="x"),
        lambda: services.update_meter(actor=actor, meter=meter, name="Mine"),
        lambda: services.map_meter(
            actor=actor, meter=meter, vehicle=vehicle, valid_from=JANUARY + DAY
        ),
        lambda: services.end_mapping(actor=actor, mapping=mapping, valid_to=None),
        lambda: services.unmap_meter(actor=actor, mapping=mapping),
        lambda: services.rotate_credential(actor=actor, device=device),
        lambda: services.revoke_credential(actor=actor, device=device),
        lambda: people.a_device(tenant, "D9", vehicle=vehicle),
        lambda: people.a_device(tenant, "D9", meter=meter),
    ):
        with refusal("not_found"):
            attempt()
    assert selectors.meters_for_vehicle(vehicle, JANUARY, JANUARY + DAY)


# --- meters and mappings --------------------------------------------------------------
def test_it_maps_a_meter_to_one_vehicle_at_a_time(tenant, actor):
    meter = people.a_meter(tenant)
    first, second = people.a_vehicle(tenant, "V1"), people.a_vehicle(tenant, "V2")
    services.map_meter(
        actor=actor, meter=meter, vehicle=first, valid_from=JANUARY, valid_to=JANUARY + DAY
    )
    with refusal("mapping_overlaps"):
        services.map_meter(actor=actor, meter=meter, vehicle=second, valid_from=JANUARY + DAY / 2)
    # Half open: the next may begin at the very moment the last one ends.
    follower = services.map_meter(
        actor=actor, meter=meter, vehicle=second, valid_from=JANUARY + DAY
    )
    with refusal("mapping_overlaps"):
        mapping = MeterMapping.objects.for_tenant(tenant).get(vehicle=first)
        services.end_mapping(actor=actor, mapping=mapping, valid_to=None)
    services.end_mapping(actor=actor, mapping=follower, valid_to=JANUARY + 2 * DAY)
    with refusal("period_empty"):
        services.end_mapping(actor=actor, mapping=follower, valid_to=JANUARY + DAY)


def test_it_names_the_meters_of_a_vehicle_clipped_to_the_window(tenant, actor):
    vehicle = people.a_vehicle(tenant)
    meters = [people.a_meter(tenant, f"M{n}") for n in range(3)]
    for meter, start, end in (
        (meters[0], JANUARY, JANUARY + DAY),
        (meters[1], JANUARY + DAY, None),
        (meters[2], JANUARY + 10 * DAY, None),
    ):
        services.map_meter(
            actor=actor, meter=meter, vehicle=vehicle, valid_from=start, valid_to=end
        )
    window = JANUARY + DAY / 2, JANUARY + 2 * DAY
    assert selectors.meters_for_vehicle(vehicle, *window) == [
        (meters[0].pk, window[0], JANUARY + DAY),
        (meters[1].pk, JANUARY + DAY, window[1]),
    ]
    assert selectors.meters_of_fleet(vehicle.fleet_id) == [meter.pk for meter in meters]


# --- devices --------------------------------------------------------------------------
def test_it_finds_a_device_by_its_secret_in_one_query(tenant, django_assert_num_queries):
    vehicle = people.a_vehicle(tenant)
    device, secret = people.a_device(tenant, "D1", vehicle=vehicle)
    with django_assert_num_queries(1):
        identity = selectors.device_for_secret(secret)
    credential = DeviceCredential.objects.for_tenant(tenant).get()
    assert identity == selectors.DeviceIdentity(
        tenant_id=tenant.pk,
        device_id=device.pk,
        reference="D1",
        vehicle_id=vehicle.pk,
        meter_id=None,
        protocol="telemetry.v1",
        credential_id=credential.pk,
    )


def test_it_takes_any_rubbish_for_an_unknown_device(tenant):
    _, secret = people.a_device(tenant)
    token = people.a_token(tenant)
    prefix = secret.split("_")[1]
    for rubbish in ("", token, secret + "x", secret[:-1], f"ord_{prefix}_", "ord_\x00_", "é" * 20):
        assert selectors.device_for_secret(rubbish) is None


def test_it_shuts_a_device_out_when_its_credential_is_rotated(tenant, actor):
    device, old = people.a_device(tenant)
    new = services.rotate_credential(actor=actor, device=device)
    assert selectors.device_for_secret(old) is None
    assert selectors.device_for_secret(new) is not None
    assert DeviceCredential.objects.for_tenant(tenant).filter(revoked_at=None).count() == 1


@pytest.mark.parametrize(
    "end",
    [
        lambda actor, device: services.revoke_credential(actor=actor, device=device),
        lambda actor, device: services.archive_device(actor=actor, device=device),
        lambda actor, device: services.archive_vehicle(actor=actor, vehicle=device.vehicle),
        lambda actor, device: services.rotate_credential(actor=actor, device=device),
    ],
    ids=["revoked", "archived", "vehicle archived", "rotated"],
)
def test_it_announces_that_a_device_is_shut_out(
    tenant, actor, announced, django_capture_on_commit_callbacks, end
):
    device, secret = people.a_device(tenant, "D1", vehicle=people.a_vehicle(tenant))
    credential = DeviceCredential.objects.for_tenant(tenant).get()
    assert selectors.usable_device_ids([device.pk], [credential.pk]) == {device.pk}
    with django_capture_on_commit_callbacks(execute=True):
        end(actor, device)
        assert announced == []  # not before the commit
    assert announced == [(device.pk, 4401)]
    assert selectors.device_for_secret(secret) is None
    assert selectors.usable_device_ids([device.pk], [credential.pk]) == set()


def test_it_makes_a_device_connect_anew_when_it_moves(
    tenant, actor, announced, django_capture_on_commit_callbacks
):
    device, secret = people.a_device(tenant, "D1", vehicle=people.a_vehicle(tenant, "V1"))
    with django_capture_on_commit_callbacks(execute=True):
        services.update_device(actor=actor, device=device, name="Renamed")
    assert announced == []
    target = people.a_vehicle(tenant, "V2")
    with django_capture_on_commit_callbacks(execute=True):
        services.update_device(actor=actor, device=device, vehicle=target)
    assert announced == [(device.pk, 1012)]
    identity = selectors.device_for_secret(secret)
    assert identity is not None and identity.vehicle_id == target.pk


def test_it_lets_a_device_back_in_with_its_vehicle_but_not_after_its_own_archiving(tenant, actor):
    vehicle = people.a_vehicle(tenant)
    device, secret = people.a_device(tenant, "D1", vehicle=vehicle)
    services.archive_vehicle(actor=actor, vehicle=vehicle)
    services.restore_vehicle(actor=actor, vehicle=vehicle)
    assert selectors.device_for_secret(secret) is not None
    services.archive_device(actor=actor, device=device)
    services.restore_device(actor=actor, device=device)
    assert selectors.device_for_secret(secret) is None
    assert selectors.device_for_secret(services.rotate_credential(actor=actor, device=device))


def test_it_lets_a_device_speak_for_one_thing(tenant, actor):
    vehicle, meter = people.a_vehicle(tenant), people.a_meter(tenant)
    with refusal("two_subjects"):
        people.a_device(tenant, "D1", vehicle=vehicle, meter=meter)
    device, _ = people.a_device(tenant, "D1", vehicle=vehicle)
    with refusal("two_subjects"):
        services.update_device(actor=actor, device=device, meter=meter)
    services.update_device(actor=actor, device=device, vehicle=None, meter=meter)
    assert Device.objects.for_tenant(tenant).get().meter == meter


def test_it_resolves_references_of_one_organisation_in_one_query(
    tenant, actor, django_assert_num_queries
):
    vehicle = people.a_vehicle(tenant, "V1")
    services.archive_vehicle(actor=actor, vehicle=people.a_vehicle(tenant, "OLD"))
    people.a_vehicle(people.an_organisation(), "THEIRS")
    wanted = ["V1", "OLD", "THEIRS", "NONE"]
    with django_assert_num_queries(1):
        assert selectors.resolve_vehicles(tenant.pk, wanted) == {"V1": vehicle.pk}
    meter = people.a_meter(tenant, "M1")
    with django_assert_num_queries(1):
        assert selectors.resolve_meters(tenant.pk, ["M1", "V1"]) == {"M1": meter.pk}


async def test_it_reaches_the_sockets_of_a_device_through_the_channel_layer():
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(revocation.DEVICES, channel)
    await sync_to_async(revocation.announce)(7)
    assert await layer.receive(channel) == {
        "type": "device.revoked", "devices": [7], "code": 4401,
    }  # fmt: skip


def test_it_survives_a_channel_layer_that_is_away(monkeypatch, caplog):
    class Away:
        async def group_send(self, group, message):
            raise ConnectionError("away")

    monkeypatch.setattr(revocation, "get_channel_layer", Away)
    revocation.announce(7)
    assert "revocation_not_announced" in caplog.text


def test_it_stays_usable_after_a_constraint_refused(tenant, actor):
    people.a_vehicle(tenant, "V1")
    with transaction.atomic():
        with refusal("reference_taken"):
            people.a_vehicle(tenant, "V1")
        people.a_vehicle(tenant, "V2")
    assert Vehicle.objects.for_tenant(tenant).count() == 2
