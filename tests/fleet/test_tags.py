"""Tags: over the API, from a spreadsheet, and as the scope of a rule."""

import pytest

from alerts.engine.spec import decode_spec
from alerts.rulebook import RuleBook
from alerts.rules import create_rule
from fleet.models import Meter, Vehicle
from fleet.tags import checked_tags, tags_of, text_of
from tenants.errors import DomainError
from tests import people

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture
def tenant():
    tenant = people.an_organisation()
    people.a_fleet(tenant, "F1")
    return tenant


@pytest.fixture
def client(tenant):
    return people.client_with(people.a_token(tenant))


@pytest.fixture
def vehicle(client, tenant):
    body = {"id": "V1", "name": "Van", "fleet": "F1", "tags": [" cold ", "night", "cold"]}
    answer = client.post("/v1/vehicles", body, JSON)
    assert answer.status_code == 201 and answer.json()["tags"] == ["cold", "night"]
    return Vehicle.objects.for_tenant(tenant).get()


def test_it_sets_changes_and_filters_by_tags_over_the_api(client, vehicle):
    client.post("/v1/vehicles", {"id": "V2", "name": "Other", "fleet": "F1"}, JSON)

    def found(tag):
        return [row["id"] for row in client.get(f"/v1/vehicles?tag={tag}").json()["results"]]

    assert (found("cold"), found("col"), found("COLD")) == (["V1"], [], [])
    changed = client.patch("/v1/vehicles/V1", {"tags": ["day"]}, JSON)
    assert changed.json()["tags"] == ["day"]
    assert (found("cold"), found("day")) == ([], ["V1"])
    assert client.patch("/v1/vehicles/V1", {"tags": []}, JSON).json()["tags"] == []
    assert client.patch("/v1/vehicles/V1", {"name": "New"}, JSON).json()["tags"] == []


def test_it_tags_meters(client, tenant):
    body = {"id": "M1", "name": "Bay", "fleet": "F1", "tags": ["fast"]}
    assert client.post("/v1/meters", body, JSON).json()["tags"] == ["fast"]
    assert [row["id"] for row in client.get("/v1/meters?tag=fast").json()["results"]] == ["M1"]
    assert Meter.objects.for_tenant(tenant).get().tags == ["fast"]


@pytest.mark.parametrize(
    "tags",
    ["cold", ["a,b"], ["x" * 41], ["a\nb"], ["a\x00"], [1, {}], [f"t{n}" for n in range(21)]],
)
def test_it_refuses_what_is_no_tag(client, vehicle, tags):
    refused = client.patch("/v1/vehicles/V1", {"tags": tags}, JSON)
    assert refused.status_code in (400, 422), refused.content
    assert client.get("/v1/vehicles/V1").json()["tags"] == ["cold", "night"]


def test_it_lets_no_vin_hide_in_a_tag(client, vehicle):
    vin = people.NORTH_AMERICAN_VIN
    client.patch("/v1/vehicles/V1", {"vin": vin}, JSON)
    refused = client.patch("/v1/vehicles/V1", {"tags": [f"x {vin}"]}, JSON)
    assert (refused.status_code, refused.json()["code"]) == (422, "vin_in_clear")


def test_it_parts_them_by_commas_where_people_type():
    assert tags_of(" b, a ,,b") == ["a", "b"]
    assert tags_of("") == []
    assert text_of(["a", "b"]) == "a, b"
    with pytest.raises(DomainError):
        checked_tags(["x" * 41])


def test_a_rule_watches_by_tag(client, vehicle, tenant):
    people.a_vehicle(tenant, "V2")
    definition = {
        "kind": "threshold",
        "params": {"conditions": [{"metric": "speed_kmh", "op": ">", "value": 120}]},
        "scope": {"tags": ["cold"]},
    }
    assert decode_spec(definition).scope.tags == ("cold",)
    create_rule(actor=people.acting(tenant), name="Cold", definition=definition)
    book = RuleBook()
    subjects = {one.reference: ("v", one.pk) for one in Vehicle.objects.for_tenant(tenant)}
    book.learn(subjects.values())
    assert [rule.name for rule in book.watching(subjects["V1"])] == ["Cold"]
    assert book.watching(subjects["V2"]) == []
