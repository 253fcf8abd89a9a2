"""Who calls, by token or by session; and the things that must not happen on the way."""

from __future__ import annotations

import logging

import pytest
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from rest_framework.test import APIRequestFactory

from tenants.api.authentication import TokenAuthentication
from tenants.api.permissions import HasScope
from tenants.api.views import TenantAPIView
from tenants.errors import DomainError
from tenants.models import ApiToken, Organisation, Role, Scope
from tests import people

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Organisation:
    return people.an_organisation()


def test_it_takes_a_token_for_the_organisation_it_belongs_to(tenant):
    secret = people.a_token(tenant, Scope.FLEET_READ)
    assert people.client_with(secret).get("/v1/organisation").json()["id"] == tenant.slug
    token = ApiToken.objects.for_tenant(tenant).get()
    assert token.last_used_at is not None


def test_it_lets_a_token_do_only_what_its_scopes_say(tenant):
    client = people.client_with(people.a_token(tenant, Scope.TELEMETRY_READ))
    answer = client.get("/v1/vehicles")
    assert answer.status_code == 403
    assert answer.json()["detail"] == "This needs the scope fleet:read."


@pytest.mark.parametrize(
    "header", ["Bearer ort_000000000000_x", "Bearer", "bearer \xff", "Bearer  "]
)
def test_it_answers_a_bad_token_with_401(tenant, header):
    answer = people.Browser(headers={"authorization": header}).get("/v1/vehicles")
    assert answer.status_code == 401
    assert answer.json()["code"] == "token_invalid"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_it_does_not_fall_back_to_the_session_behind_a_bad_token(tenant):
    client = people.client_of(people.the_owner(tenant))
    answer = client.get("/v1/vehicles", headers={"authorization": "Bearer ort_000000000000_x"})
    assert answer.status_code == 401


def test_it_demands_a_csrf_token_of_sessions_and_none_of_tokens(tenant):
    body = {"id": "F1", "name": "One"}
    person = people.client_of(people.the_owner(tenant), csrf=True)
    refused = person.post("/v1/fleets", body, "application/json")
    assert refused.status_code == 403 and refused.headers["Content-Type"].startswith(
        "application/problem+json"
    )
    integration = people.client_with(people.a_token(tenant))
    assert integration.post("/v1/fleets", body, "application/json").status_code == 201


def test_it_stops_a_token_at_once_when_it_is_revoked(tenant):
    secret = people.a_token(tenant, Scope.FLEET_READ)
    client = people.client_with(secret)
    assert client.get("/v1/vehicles").status_code == 200
    owner = people.client_of(people.the_owner(tenant))
    assert owner.delete(f"/v1/tokens/{secret.split('_')[1]}").status_code == 204
    assert client.get("/v1/vehicles").status_code == 401


def test_it_shows_the_secret_of_a_token_once(tenant):
    owner = people.client_of(people.the_owner(tenant))
    body = {"name": "erp", "scopes": ["fleet:read"]}
    issued = owner.post("/v1/tokens", body, "application/json").json()
    assert people.client_with(issued["secret"]).get("/v1/vehicles").status_code == 200
    listed = owner.get("/v1/tokens").content.decode() + owner.get("/v1/audit").content.decode()
    assert issued["id"] in listed
    assert issued["secret"].split("_", 2)[2] not in listed


def test_it_turns_away_people_without_an_organisation():
    answer = people.client_of(people.a_person()).get("/v1/vehicles")
    assert (answer.status_code, answer.json()["code"]) == (403, "no_organisation")


def test_it_takes_effect_at_once_when_a_role_changes(tenant):
    person = people.a_member(tenant, Role.MANAGER)
    client = people.client_of(person)
    assert (
        client.post("/v1/fleets", {"id": "A", "name": "A"}, "application/json").status_code == 201
    )
    owner = people.client_of(people.the_owner(tenant))
    member = next(
        m for m in owner.get("/v1/members").json()["results"] if m["email"] == person.email
    )
    path = f"/v1/members/{member['id']}"
    assert owner.patch(path, {"role": "viewer"}, "application/json").status_code == 200
    assert (
        client.post("/v1/fleets", {"id": "B", "name": "B"}, "application/json").status_code == 403
    )
    assert owner.delete(path).status_code == 204
    assert client.get("/v1/fleets").status_code == 403


def test_it_refuses_everybody_where_a_view_names_no_scope(tenant):
    class Forgetful(TenantAPIView):
        def get(self, request):  # pragma: no cover
            raise AssertionError("nobody may get here")

    request = APIRequestFactory().get("/v1/x", headers={"authorization": "x"})
    view = Forgetful()
    view.request = view.initialize_request(request)
    view.request.user = AnonymousUser()
    view.request.auth = people.owner_of(tenant)
    with pytest.raises(DomainError, check=lambda error: error.code == "scope_undefined"):
        HasScope().has_permission(view.request, view)


def test_it_leaves_other_schemes_alone():
    request = APIRequestFactory().get("/", headers={"authorization": "Basic abc"})
    assert TokenAuthentication().authenticate(TenantAPIView().initialize_request(request)) is None


def test_it_logs_neither_tokens_nor_queries(tenant, caplog):
    caplog.set_level(logging.DEBUG)
    secret = people.a_token(tenant)
    client = people.client_with(secret)
    client.get("/v1/vehicles", {"search": "delicate"})
    client.get("/v1/vehicles", headers={"authorization": f"Bearer {secret}x"})
    assert "GET /v1/vehicles" in caplog.text
    assert secret not in caplog.text and secret.split("_", 2)[2] not in caplog.text
    assert "delicate" not in caplog.text


def test_it_limits_failed_log_ins(client_address="203.0.113.7"):
    person = people.a_person(password=people.PASSWORD)
    browser = people.Browser(REMOTE_ADDR=client_address)
    url = reverse("account_login")
    for _ in range(6):
        answer = browser.post(url, {"login": person.email, "password": "wrong guess"})
    assert answer.status_code in (200, 429)
    right = browser.post(url, {"login": person.email, "password": people.PASSWORD})
    assert right.status_code in (200, 429)
    assert "_auth_user_id" not in browser.session


def test_it_lets_nobody_sign_up_by_themselves():
    from tenants.models import User

    body = {"email": "new@example.org", "password1": people.PASSWORD}
    people.Browser().post(reverse("account_signup"), body)
    assert not User.objects.filter(email="new@example.org").exists()
