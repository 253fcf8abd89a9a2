"""Every endpoint of people and things, tried by everyone: each role, an outsider, nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from django.test import Client
from django.urls import resolve

from fleet import services
from fleet.api.urls import urlpatterns as fleet_urls
from tenants.api.urls import urlpatterns as tenants_urls
from tenants.models import Membership, Role
from tests import people

pytestmark = pytest.mark.django_db

ALL = frozenset(Role.values)
MANAGING = frozenset({Role.OWNER, Role.MANAGER})
OWNING = frozenset({Role.OWNER})


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    allowed: frozenset[str]
    body: Any = None
    ok: int = 200
    one_thing: bool = True
    """Names a thing of the organisation: to an outsider it does not exist."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


ENDPOINTS = [
    Endpoint("GET", "/v1/fleets", ALL, one_thing=False),
    Endpoint("POST", "/v1/fleets", MANAGING, {"id": "F9", "name": "Nine"}, 201, one_thing=False),
    Endpoint("GET", "/v1/fleets/F1", ALL),
    Endpoint("PATCH", "/v1/fleets/F1", MANAGING, {"name": "One"}),
    Endpoint("DELETE", "/v1/fleets/EMPTY", MANAGING, ok=204),
    Endpoint("POST", "/v1/fleets/EMPTY/restore", MANAGING),
    Endpoint("GET", "/v1/vehicles", ALL, one_thing=False),
    Endpoint(
        "POST",
        "/v1/vehicles",
        MANAGING,
        {"id": "V9", "name": "Nine", "fleet": "F1"},
        201,
        one_thing=False,
    ),
    Endpoint("GET", "/v1/vehicles/V1", ALL),
    Endpoint("PATCH", "/v1/vehicles/V1", MANAGING, {"plate": "AB-1"}),
    Endpoint("DELETE", "/v1/vehicles/V1", MANAGING, ok=204),
    Endpoint("POST", "/v1/vehicles/V1/restore", MANAGING),
    Endpoint("POST", "/v1/vehicles/lookup", ALL, {"vin": people.NORTH_AMERICAN_VIN}),
    Endpoint("POST", "/v1/vehicles/V1/vin", MANAGING, {"reason": "accident report"}),
    Endpoint("GET", "/v1/meters", ALL, one_thing=False),
    Endpoint(
        "POST",
        "/v1/meters",
        MANAGING,
        {"id": "M9", "name": "Nine", "fleet": "F1"},
        201,
        one_thing=False,
    ),
    Endpoint("GET", "/v1/meters/M1", ALL),
    Endpoint("PATCH", "/v1/meters/M1", MANAGING, {"name": "One"}),
    Endpoint("DELETE", "/v1/meters/M1", MANAGING, ok=204),
    Endpoint("POST", "/v1/meters/M1/restore", MANAGING),
    Endpoint("GET", "/v1/meters/M1/mappings", ALL),
    Endpoint(
        "POST",
        "/v1/meters/M1/mappings",
        MANAGING,
        {"vehicle": "V1", "from": "2030-01-01T00:00:00Z"},
        201,
    ),
    Endpoint("GET", "/v1/meters/M1/mappings/{mapping}", ALL),
    Endpoint("PATCH", "/v1/meters/M1/mappings/{mapping}", MANAGING, {"to": "2026-06-01T00:00:00Z"}),
    Endpoint("DELETE", "/v1/meters/M1/mappings/{mapping}", MANAGING, ok=204),
    Endpoint("GET", "/v1/devices", ALL, one_thing=False),
    Endpoint("POST", "/v1/devices", MANAGING, {"id": "D9", "name": "Nine"}, 201, one_thing=False),
    Endpoint("GET", "/v1/devices/D1", ALL),
    Endpoint("PATCH", "/v1/devices/D1", MANAGING, {"name": "One"}),
    Endpoint("DELETE", "/v1/devices/D1", MANAGING, ok=204),
    Endpoint("POST", "/v1/devices/D1/restore", MANAGING),
    Endpoint("POST", "/v1/devices/D1/rotate", MANAGING),
    Endpoint("POST", "/v1/devices/D1/revoke", MANAGING, ok=204),
    Endpoint("GET", "/v1/organisation", ALL, one_thing=False),
    Endpoint("PATCH", "/v1/organisation", OWNING, {"name": "New name"}, one_thing=False),
    Endpoint("GET", "/v1/members", OWNING, one_thing=False),
    Endpoint(
        "POST",
        "/v1/members",
        OWNING,
        {"email": "new@example.org", "role": "viewer"},
        201,
        one_thing=False,
    ),
    Endpoint("GET", "/v1/members/{member}", OWNING),
    Endpoint("PATCH", "/v1/members/{member}", OWNING, {"role": "dispatcher"}),
    Endpoint("DELETE", "/v1/members/{member}", OWNING, ok=204),
    Endpoint("GET", "/v1/tokens", OWNING, one_thing=False),
    Endpoint(
        "POST",
        "/v1/tokens",
        OWNING,
        {"name": "t", "scopes": ["fleet:read"]},
        201,
        one_thing=False,
    ),
    Endpoint("GET", "/v1/tokens/{token}", OWNING),
    Endpoint("DELETE", "/v1/tokens/{token}", OWNING, ok=204),
    Endpoint("GET", "/v1/audit", OWNING, one_thing=False),
]


@dataclass
class House:
    """An organisation with one of everything, and people of every role."""

    clients: dict[str, Client]
    names: dict[str, str]

    def ask(self, client: Client, endpoint: Endpoint) -> Any:
        path = endpoint.path.format(**self.names)
        return client.generic(
            endpoint.method,
            path,
            data=b"" if endpoint.body is None else _json(endpoint.body),
            content_type="application/json",
        )


def _json(body: Any) -> bytes:
    return msgspec.json.encode(body)


@pytest.fixture
def house() -> House:
    tenant = people.an_organisation()
    people.a_fleet(tenant, "F1")
    people.a_fleet(tenant, "EMPTY")
    vehicle = people.a_vehicle(tenant, "V1", vin_number=people.NORTH_AMERICAN_VIN)
    meter = people.a_meter(tenant, "M1")
    people.a_device(tenant, "D1", vehicle=vehicle)
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    mapping = services.map_meter(
        actor=people.acting(tenant), meter=meter, vehicle=vehicle, valid_from=start, valid_to=end
    )
    somebody = people.a_member(tenant, Role.VIEWER)
    membership = Membership.objects.for_tenant(tenant).get(user=somebody)
    return House(
        clients={role: people.client_of(people.a_member(tenant, role)) for role in Role.values},
        names={
            "mapping": str(mapping.public_id),
            "member": str(membership.public_id),
            "token": people.a_token(tenant).split("_")[1],
        },
    )


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_it_lets_each_role_do_what_it_may_and_no_more(house: House, endpoint: Endpoint):
    for role in sorted(ALL - endpoint.allowed):
        refused = house.ask(house.clients[role], endpoint)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing"), role
    for role in sorted(endpoint.allowed)[:1]:
        assert house.ask(house.clients[role], endpoint).status_code == endpoint.ok, role


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_it_lets_every_allowed_role_in(house: House, endpoint: Endpoint):
    role = sorted(endpoint.allowed)[-1]
    assert house.ask(house.clients[role], endpoint).status_code == endpoint.ok


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.one_thing], ids=str)
def test_it_hides_every_thing_from_an_owner_of_another_organisation(
    house: House, endpoint: Endpoint
):
    stranger = people.client_with(people.a_token(people.an_organisation()))
    answer = house.ask(stranger, endpoint)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "endpoint", [e for e in ENDPOINTS if e.method == "GET" and not e.one_thing], ids=str
)
def test_it_lists_nothing_of_another_organisation(house: House, endpoint: Endpoint):
    other = people.an_organisation("Elsewhere")
    answer = house.ask(people.client_with(people.a_token(other)), endpoint).json()
    if endpoint.path == "/v1/organisation":
        assert answer["id"] == "elsewhere"
    elif endpoint.path in ("/v1/members", "/v1/tokens", "/v1/audit"):
        text = str(answer["results"])
        assert answer["results"] and house.names["token"] not in text and "V1" not in text
        assert house.names["member"] not in text
    else:
        assert answer["results"] == []


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_it_asks_strangers_who_they_are(house: House, endpoint: Endpoint):
    answer = house.ask(people.Browser(), endpoint)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "not_authenticated"


def test_it_tries_every_endpoint_there_is():
    """A new endpoint has to be added to the table above."""
    offered = set()
    patterns: list[Any] = [*tenants_urls, *fleet_urls]
    for pattern in patterns:
        methods = getattr(pattern.callback, "actions", None)
        if methods is None:
            methods = pattern.callback.view_class.http_method_names
        offered |= {(method.upper(), pattern.name) for method in methods if method != "head"}
    nowhere = "00000000-0000-0000-0000-000000000000"
    names = dict.fromkeys(["mapping", "member", "token"], nowhere)
    tried = {(e.method, resolve(e.path.format(**names)).url_name) for e in ENDPOINTS}
    assert offered == tried
