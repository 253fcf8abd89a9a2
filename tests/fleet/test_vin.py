"""VINs: checked where a check digit exists, found by pseudonym, in clear nowhere."""

from __future__ import annotations

import logging

import pytest
from django.db import connection

from fleet import services, vin
from fleet.models import Vehicle
from tenants.errors import DomainError
from tenants.models import AuditEntry, Organisation, Role
from tests import people

VIN = people.NORTH_AMERICAN_VIN


def refusal(code: str):
    return pytest.raises(DomainError, check=lambda error: error.code == code)


@pytest.mark.parametrize("text", [VIN, VIN.lower(), f" {VIN} ", "1M8-GDM9A-XKP0-42788"])
def test_it_reads_a_vin_as_people_write_it(text):
    assert vin.normalise(text) == vin.CheckedVin(VIN, verified=True)


def test_it_verifies_the_check_digit_of_north_america_and_china():
    for number in (
        VIN,
        people.OTHER_NORTH_AMERICAN_VIN,
        "LSVAU2180N2183294"[:8] + "0" + "N2183294",
    ):
        outcomes = []
        for digit in "0123456789X":
            try:
                outcomes.append(vin.normalise(number[:8] + digit + number[9:]).verified)
            except DomainError as refused:
                assert refused.code == "vin_check_digit"
        # Of eleven possible check digits exactly one is right.
        assert outcomes == [True]


def test_it_does_not_hold_european_makers_to_a_rule_they_do_not_have():
    checked = vin.normalise(people.EUROPEAN_VIN)
    assert not checked.verified


@pytest.mark.parametrize(
    "text", ["", "1M8", VIN + "1", VIN[:-1] + "O", VIN[:-1] + "é", "\x00" * 17]
)
def test_it_refuses_what_is_no_vin_without_repeating_it(text):
    with refusal("vin_invalid") as caught:
        vin.normalise(text)
    assert not text or text not in str(caught.value)


def test_it_gives_each_tenant_pseudonyms_of_its_own(settings):
    checked = vin.normalise(VIN)
    first = vin.pseudonym(checked, tenant_id=1)
    assert first == vin.pseudonym(checked, tenant_id=1)
    assert first != vin.pseudonym(checked, tenant_id=2)
    settings.VIN_PSEUDONYM_KEY = "another installation"
    assert first != vin.pseudonym(checked, tenant_id=1)


def test_it_does_not_show_a_vin_where_objects_are_printed():
    assert VIN not in repr(vin.normalise(VIN))


# --- through the API ------------------------------------------------------------------
@pytest.fixture
def tenant(db) -> Organisation:
    tenant = people.an_organisation()
    people.a_fleet(tenant, "F1")
    return tenant


@pytest.fixture
def client(tenant) -> people.Browser:
    return people.client_with(people.a_token(tenant))


def everything_stored() -> str:
    """Every row of every table, binary columns as what they would decode to as well."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        text = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608
            text += [row[0] for row in cursor.fetchall()]
    return "\n".join(text)


def assert_nowhere(number: str, *texts: str) -> None:
    for text in texts:
        assert number.lower() not in text.lower()
        assert number.encode().hex() not in text.lower()
        assert number[-8:].lower() not in text.lower()


def test_it_keeps_the_vin_in_clear_nowhere(client, tenant, caplog):
    caplog.set_level(logging.DEBUG)
    body = {"id": "V1", "name": "One", "fleet": "F1", "vin": VIN}
    answers = [
        client.post("/v1/vehicles", body, "application/json"),
        client.post("/v1/vehicles", body | {"id": "V2"}, "application/json"),
        client.post("/v1/vehicles", body | {"vin": VIN[:-1] + "9"}, "application/json"),
        client.post("/v1/vehicles", body | {"vin": VIN + VIN + "longer"}, "application/json"),
        client.post("/v1/vehicles", body | {"vin": {"x": VIN}}, "application/json"),
        client.post("/v1/vehicles/lookup", {"vin": VIN}, "application/json"),
        client.patch("/v1/vehicles/V1", {"name": "New", "vin": VIN}, "application/json"),
        client.patch("/v1/vehicles/V1", {"name": f"Bus {VIN}"}, "application/json"),
        client.get("/v1/vehicles/V1"),
        client.get("/v1/vehicles"),
        client.get("/v1/vehicles", {"search": VIN}),
        client.get("/v1/audit"),
    ]
    assert [a.status_code for a in answers] == [
        *(201, 409, 422, 422, 422, 200, 200, 422, 200, 200, 200, 200)
    ]
    revealed = client.post("/v1/vehicles/V1/vin", {"reason": "accident"}, "application/json")
    assert revealed.json() == {"vin": VIN}
    assert_nowhere(VIN, everything_stored(), caplog.text, *(a.content.decode() for a in answers))


def test_it_would_notice_a_vin_in_the_database(tenant):
    people.a_vehicle(tenant, "V1", plate=VIN[-8:])
    with pytest.raises(AssertionError):
        assert_nowhere(VIN, everything_stored())


def test_it_tells_that_there_is_a_vin_and_whether_two_are_the_same(client, tenant):
    body = {"id": "V1", "name": "One", "fleet": "F1"}
    bare = client.post("/v1/vehicles", body, "application/json").json()
    assert (bare["has_vin"], bare["vin_pseudonym"], bare["warnings"]) == (False, None, [])
    patched = client.patch("/v1/vehicles/V1", {"vin": VIN}, "application/json").json()
    stored = Vehicle.objects.for_tenant(tenant).get()
    assert patched["has_vin"] and patched["vin_pseudonym"] == stored.vin_pseudonym[:12]
    forgotten = client.patch("/v1/vehicles/V1", {"vin": ""}, "application/json").json()
    assert not forgotten["has_vin"]
    stored.refresh_from_db()
    assert stored.vin_ciphertext is None


def test_it_warns_where_no_check_digit_vouches_for_a_vin(client):
    body = {"id": "V1", "name": "One", "fleet": "F1", "vin": people.EUROPEAN_VIN}
    answer = client.post("/v1/vehicles", body, "application/json")
    assert answer.status_code == 201
    assert answer.json()["warnings"] == [vin.UNVERIFIED]


def test_it_finds_a_vehicle_by_vin_within_the_organisation_only(client, tenant):
    people.a_vehicle(tenant, "V1", vin_number=VIN)
    found = client.post("/v1/vehicles/lookup", {"vin": VIN.lower()}, "application/json")
    assert found.json()["id"] == "V1"
    other = people.client_with(people.a_token(people.an_organisation()))
    assert other.post("/v1/vehicles/lookup", {"vin": VIN}, "application/json").status_code == 404
    # The same car may be a customer's today and another's tomorrow.
    elsewhere = people.an_organisation()
    people.a_vehicle(elsewhere, "V1", vin_number=VIN)


def test_it_reveals_a_vin_with_a_reason_and_records_who_asked(tenant):
    people.a_vehicle(tenant, "V1", vin_number=VIN)
    manager = people.a_member(tenant, Role.MANAGER)
    client = people.client_of(manager)
    answer = client.post("/v1/vehicles/V1/vin", {"reason": " "}, "application/json")
    assert answer.status_code == 422
    answer = client.post("/v1/vehicles/V1/vin", {"reason": "recall 7"}, "application/json")
    assert answer.json() == {"vin": VIN}
    assert "no-store" in answer.headers["Cache-Control"]
    entry = AuditEntry.objects.for_tenant(tenant).get(action="vehicle.vin_revealed")
    assert (entry.actor, entry.target, entry.reason) == (manager, "vehicle V1", "recall 7")
    assert entry.address == "127.0.0.1"


def test_it_reveals_nothing_where_recording_fails(tenant, monkeypatch):
    vehicle = people.a_vehicle(tenant, "V1", vin_number=VIN)

    def fail(*args, **kwargs):
        raise ConnectionError

    monkeypatch.setattr("fleet.services.vehicles.record", fail)
    with pytest.raises(ConnectionError):
        services.reveal_vin(actor=people.owner_of(tenant), vehicle=vehicle, reason="recall")


def test_it_has_nothing_to_reveal_of_a_vehicle_without_a_vin(client, tenant):
    people.a_vehicle(tenant, "V1")
    answer = client.post("/v1/vehicles/V1/vin", {"reason": "recall"}, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_vin")
