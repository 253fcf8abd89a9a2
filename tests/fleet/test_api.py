"""Fleets, vehicles, meters and devices over HTTP: shapes, filters, pages, query counts."""

from __future__ import annotations

import re
from base64 import b64decode
from urllib.parse import unquote

import pytest
from django.db import connection

from fleet import selectors, services
from tenants.models import Organisation
from tests import people

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Organisation:
    return people.an_organisation()


@pytest.fixture
def client(tenant) -> people.Browser:
    return people.client_with(people.a_token(tenant))


def ids(answer) -> list[str]:
    return [row["id"] for row in answer.json()["results"]]


def test_it_speaks_in_the_customers_references(client):
    fleet = client.post("/v1/fleets", {"id": "F1", "name": "North"}, "application/json").json()
    assert fleet.keys() == {
        *("id", "name", "created_at", "archived_at", "vehicle_count", "meter_count")
    }
    body = {"id": "V456", "name": "Van", "fleet": "F1", "battery_capacity_kwh": 52.0}
    vehicle = client.post("/v1/vehicles", body, "application/json")
    assert vehicle.status_code == 201
    expected: dict = {
        "id": "V456",
        "name": "Van",
        "archived_at": None,
        "fleet": "F1",
        "kind": "van",
        "plate": "",
        "silent_after_s": 300,
        "has_vin": False,
        "vin_pseudonym": None,
        "warnings": [],
    }
    assert vehicle.json().items() >= expected.items()
    assert b'"battery_capacity_kwh":52.00' in vehicle.content  # its digits are kept
    assert vehicle.json()["created_at"].endswith("Z")
    assert client.get("/v1/fleets/F1").json()["vehicle_count"] == 1


def test_it_writes_a_database_key_nowhere():
    with connection.cursor() as cursor:
        # Keys that are recognised wherever they appear.
        for table in connection.introspection.table_names(cursor):
            if table.startswith(("tenants_", "fleet_")):
                cursor.execute(f"SELECT setval('{table}_id_seq', 987654300)")
    tenant = people.an_organisation()
    vehicle = people.a_vehicle(tenant, "V1")
    people.a_device(tenant, "D1", vehicle=vehicle)
    assert str(vehicle.pk).startswith("9876543")
    client = people.client_with(people.a_token(tenant))
    body = {"vehicle": "V1", "from": "2026-01-01T00:00:00Z"}
    people.a_meter(tenant, "M1")
    answers = [client.post("/v1/meters/M1/mappings", body, "application/json")]
    paths = ["organisation", "members", "tokens", "audit", "fleets", "vehicles", "devices"]
    answers += [client.get(f"/v1/{path}?limit=1") for path in paths]
    assert [answer.status_code for answer in answers] == [201] + [200] * 7
    for answer in answers:
        cursors = re.findall(r"cursor=([A-Za-z0-9%]+)", answer.content.decode())
        places = [b64decode(unquote(cursor)).decode() for cursor in cursors]
        assert "9876543" not in answer.content.decode() + str(places)


@pytest.mark.parametrize("noun", ["vehicles", "meters", "fleets", "devices"])
def test_it_archives_rather_than_deletes(client, tenant, noun):
    fleet = people.a_fleet(tenant, "F1")
    rows = {
        "vehicles": lambda: people.a_vehicle(tenant, "X", fleet=fleet),
        "meters": lambda: people.a_meter(tenant, "X", fleet=fleet),
        "fleets": lambda: people.a_fleet(tenant, "X"),
        "devices": lambda: people.a_device(tenant, "X"),
    }
    rows[noun]()
    assert client.delete(f"/v1/{noun}/X").status_code == 204
    assert client.delete(f"/v1/{noun}/X").status_code == 204
    assert "X" not in ids(client.get(f"/v1/{noun}"))
    assert "X" not in ids(client.get(f"/v1/{noun}", {"archived": "false"}))
    assert ids(client.get(f"/v1/{noun}", {"archived": "true"})) == ["X"]
    assert client.get(f"/v1/{noun}/X").json()["archived_at"].endswith("Z")
    refused = client.patch(f"/v1/{noun}/X", {"name": "New"}, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (409, "archived")
    assert client.post(f"/v1/{noun}/X/restore").json()["archived_at"] is None
    assert "X" in ids(client.get(f"/v1/{noun}"))


def test_it_narrows_lists(client, tenant):
    north, south = people.a_fleet(tenant, "NORTH"), people.a_fleet(tenant, "SOUTH")
    people.a_vehicle(tenant, "V1", fleet=north, kind="bus")
    people.a_vehicle(tenant, "V2", fleet=south)
    vehicle = people.a_vehicle(tenant, "SPARE", fleet=south)
    people.a_device(tenant, "D1", vehicle=vehicle)
    people.a_device(tenant, "D2")
    assert ids(client.get("/v1/vehicles", {"fleet": "NORTH"})) == ["V1"]
    assert ids(client.get("/v1/vehicles", {"search": "spa"})) == ["SPARE"]
    assert ids(client.get("/v1/vehicles", {"kind": "bus"})) == ["V1"]
    assert ids(client.get("/v1/vehicles", {"fleet": "SOUTH", "search": "v"})) == ["V2"]
    assert ids(client.get("/v1/devices", {"vehicle": "SPARE"})) == ["D1"]


def test_it_pages_through_everything_once(client, tenant):
    fleet = people.a_fleet(tenant, "F1")
    for number in range(7):
        people.a_vehicle(tenant, f"V{number}", fleet=fleet)
    seen, url = [], "/v1/vehicles?limit=3"
    while url:
        page = client.get(url)
        seen += ids(page)
        url = page.json()["next"]
        if len(seen) == 3:  # what comes in between the pages disturbs none of them
            people.a_vehicle(tenant, "A0", fleet=fleet)
            people.a_vehicle(tenant, "V9", fleet=fleet)
    assert seen == [f"V{number}" for number in range(7)] + ["V9"]


@pytest.mark.parametrize("noun", ["fleets", "vehicles", "meters", "devices", "tokens", "members"])
def test_it_asks_the_database_as_often_for_many_rows_as_for_one(
    client, tenant, noun, django_assert_num_queries
):
    def add(number: int) -> None:
        fleet = people.a_fleet(tenant, f"F{number}")
        vehicle = people.a_vehicle(tenant, f"V{number}", fleet=fleet)
        people.a_meter(tenant, f"M{number}", fleet=fleet)
        people.a_device(tenant, f"D{number}", vehicle=vehicle)
        people.a_token(tenant)
        people.a_member(tenant, "viewer")

    add(0)
    client.get(f"/v1/{noun}")  # writes the token's last use
    with django_assert_num_queries(2):  # the token with its organisation, and the page
        assert client.get(f"/v1/{noun}").status_code == 200
    for number in range(1, 6):
        add(number)
    with django_assert_num_queries(2):
        assert len(ids(client.get(f"/v1/{noun}"))) >= 6


def test_it_pins_the_queries_of_a_session(client, tenant, django_assert_num_queries):
    people.a_vehicle(tenant)
    browser = people.client_of(people.the_owner(tenant))
    with django_assert_num_queries(4):  # session, person, memberships, page
        assert ids(browser.get("/v1/vehicles")) == ["V1"]


def test_it_moves_a_vehicle_to_another_fleet(client, tenant):
    people.a_vehicle(tenant, "V1", fleet=people.a_fleet(tenant, "F1"))
    people.a_fleet(tenant, "F2")
    moved = client.patch("/v1/vehicles/V1", {"fleet": "F2"}, "application/json")
    assert moved.json()["fleet"] == "F2"


def test_it_connects_nothing_to_things_of_another_organisation(client, tenant):
    other = people.an_organisation()
    people.a_vehicle(other, "THEIRS", fleet=people.a_fleet(other, "F9"))
    people.a_meter(tenant, "M1")
    for path, body in (
        ("/v1/vehicles", {"id": "V1", "name": "x", "fleet": "F9"}),
        ("/v1/devices", {"id": "D1", "name": "x", "vehicle": "THEIRS"}),
        ("/v1/meters/M1/mappings", {"vehicle": "THEIRS", "from": "2026-01-01T00:00:00Z"}),
    ):
        answer = client.post(path, body, "application/json")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "does_not_exist"


def test_it_shows_the_secret_of_a_device_once(client, tenant):
    body = {"id": "D1", "name": "Tracker"}
    created = client.post("/v1/devices", body, "application/json").json()
    assert selectors.device_for_secret(created["secret"]) is not None
    rotated = client.post("/v1/devices/D1/rotate").json()["secret"]
    assert selectors.device_for_secret(created["secret"]) is None
    assert selectors.device_for_secret(rotated) is not None
    shown = client.get("/v1/devices/D1").json()
    assert "secret" not in shown and shown["credential_prefix"] == rotated.split("_")[1]
    assert client.post("/v1/devices/D1/revoke").status_code == 204
    assert client.get("/v1/devices/D1").json()["credential_prefix"] is None


def test_it_maps_meters_to_vehicles_by_date(client, tenant):
    people.a_vehicle(tenant, "V1")
    people.a_meter(tenant, "M1")
    body = {"vehicle": "V1", "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
    created = client.post("/v1/meters/M1/mappings", body, "application/json")
    assert created.status_code == 201
    assert created.json().items() >= body.items()
    overlap = client.post("/v1/meters/M1/mappings", body, "application/json")
    assert (overlap.status_code, overlap.json()["code"]) == (409, "mapping_overlaps")
    path = f"/v1/meters/M1/mappings/{created.json()['id']}"
    assert client.patch(path, {"to": None}, "application/json").json()["to"] is None
    assert client.get("/v1/meters/M1/mappings").json()["results"][0]["to"] is None
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_it_reads_a_mapping_only_under_its_own_meter(client, tenant):
    people.a_vehicle(tenant, "V1")
    people.a_meter(tenant, "M1")
    people.a_meter(tenant, "M2")
    body = {"vehicle": "V1", "from": "2026-01-01T00:00:00Z"}
    made = client.post("/v1/meters/M1/mappings", body, "application/json").json()
    assert client.get(f"/v1/meters/M2/mappings/{made['id']}").status_code == 404
    assert client.delete(f"/v1/meters/M2/mappings/{made['id']}").status_code == 404


@pytest.mark.parametrize("start", ["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00Z", "now", 1])
def test_it_survives_odd_moments(client, tenant, start):
    people.a_vehicle(tenant, "V1")
    people.a_meter(tenant, "M1")
    body = {"vehicle": "V1", "from": start}
    answer = client.post("/v1/meters/M1/mappings", body, "application/json")
    assert answer.status_code in (201, 422)
    assert client.get("/v1/meters/M1/mappings").status_code == 200


def test_it_reserves_the_id_that_is_a_path(client, tenant):
    people.a_fleet(tenant, "F1")
    body = {"id": "lookup", "name": "x", "fleet": "F1"}
    answer = client.post("/v1/vehicles", body, "application/json")
    assert answer.json()["errors"][0]["code"] == "reserved"


def test_it_renames_a_reference_and_refuses_a_taken_one(client, tenant):
    people.a_vehicle(tenant, "V1")
    people.a_vehicle(tenant, "V2")
    assert client.patch("/v1/vehicles/V1", {"id": "V9"}, "application/json").json()["id"] == "V9"
    taken = client.patch("/v1/vehicles/V9", {"id": "V2"}, "application/json")
    assert (taken.status_code, taken.json()["code"]) == (409, "reference_taken")


def test_it_tells_the_customer_what_was_done_and_by_whom(client, tenant):
    vehicle = people.a_vehicle(tenant, "V1")
    services.update_vehicle(actor=people.owner_of(tenant), vehicle=vehicle, plate="AB-1")
    entries = client.get("/v1/audit", {"target": "vehicle V1"}).json()["results"]
    assert [entry["action"] for entry in entries] == ["vehicle.updated", "vehicle.created"]
    assert entries[0]["changes"] == {"plate": ["", "AB-1"]}
    assert entries[0]["actor"] == str(people.the_owner(tenant))
