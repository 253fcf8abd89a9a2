"""Whatever goes wrong under /v1/ is answered as a problem object."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest
from asgiref.sync import iscoroutinefunction
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.test.utils import override_settings

from config.problems import _CODES as PLAIN_CODES
from config.problems import ProblemMiddleware
from tenants.errors import DomainError
from tests import people

ROOT = Path(__file__).resolve().parents[2]
CONTENT_TYPE = "application/problem+json"
MEMBERS = {"type", "title", "status", "code", "detail", "instance", "request_id"}


@pytest.fixture
def client(db) -> people.Browser:
    tenant = people.an_organisation()
    people.a_vehicle(tenant, "V1")
    return people.client_with(people.a_token(tenant))


def assert_problem(answer, status: int, code: str) -> dict:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    body: dict = answer.json()
    assert body.keys() >= MEMBERS
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/problems/{code}")
    assert body["request_id"] == answer.headers["X-Request-ID"]
    return body


def test_it_answers_an_unknown_url(client):
    body = assert_problem(client.get("/v1/no/such/thing"), 404, "not_found")
    assert body["instance"] == "/v1/no/such/thing"


def test_it_answers_a_thing_that_is_not_there(client):
    assert_problem(client.get("/v1/vehicles/V2"), 404, "not_found")


def test_it_answers_a_method_that_is_not_offered(client):
    answer = client.put("/v1/vehicles/V1", {}, "application/json")
    assert_problem(answer, 405, "method_not_allowed")
    assert "PATCH" in answer.headers["Allow"]
    assert_problem(client.options("/v1/vehicles"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[" * 100_000,
        b'{"id":NaN}',
        b'"\\ud800"',
        b"\xff\xfe",
        b"\x00" * 100,
        b'{"id":' * 50_000,
        b'{"a":1e999}',
    ],
    ids=lambda b: repr(b[:12]),
)
def test_it_answers_a_body_that_is_no_json(client, body):
    answer = client.post("/v1/fleets", body, "application/json")
    assert_problem(answer, 400, "malformed")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b"{}", b'{"id":{}}', b""])
def test_it_answers_a_body_of_another_shape(client, body):
    answer = client.post("/v1/fleets", body, "application/json")
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == CONTENT_TYPE


def test_it_names_every_invalid_field(client):
    body = {"id": "no spaces please", "fleet": "F9", "silent_after_s": 10**12, "colour": "red"}
    answer = client.post("/v1/vehicles", body, "application/json")
    errors = assert_problem(answer, 422, "invalid")["errors"]
    assert errors == [
        {"field": "colour", "code": "unknown_field", "detail": "Unknown or read-only field."}
    ]
    del body["colour"]
    errors = client.post("/v1/vehicles", body, "application/json").json()["errors"]
    assert {error["field"]: error["code"] for error in errors} == {
        "id": "invalid",
        "name": "required",
        "fleet": "does_not_exist",
        "silent_after_s": "max_value",
    }


def test_it_names_the_field_that_a_service_refused(client):
    body = {"id": "V1", "name": "Again", "fleet": "F1"}
    answer = client.post("/v1/vehicles", body, "application/json")
    errors = assert_problem(answer, 409, "reference_taken")["errors"]
    assert [error["field"] for error in errors] == ["id"]


def test_it_answers_another_media_type(client):
    assert_problem(client.post("/v1/fleets", b"a=1", "text/plain"), 415, "unsupported_media_type")


def test_it_answers_a_format_it_does_not_write(client):
    answer = client.get("/v1/fleets", headers={"accept": "application/xml"})
    assert_problem(answer, 406, "not_acceptable")


def test_it_answers_a_body_that_is_too_large(client, settings):
    settings.API_MAX_BODY_BYTES = 100
    fits = client.post("/v1/fleets", b'{"id":"A","name":"A"}'.ljust(100), "application/json")
    assert fits.status_code == 201
    answer = client.post("/v1/fleets", b'{"id":"B","name":"B"}'.ljust(101), "application/json")
    assert_problem(answer, 413, "too_large")


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=cD0lMDA=",  # p=%00
        "cursor=cD1hJTIwYg==",  # p=a%20b
    ],
)
@pytest.mark.parametrize("path", ["/v1/vehicles", "/v1/audit"])
def test_it_answers_a_cursor_that_is_not_its_own(client, path, query):
    assert_problem(client.get(f"{path}?{query}"), 400, "bad_cursor")


def test_it_answers_a_cursor_of_another_list(client):
    assert_problem(client.get("/v1/audit?cursor=cD1hYmM="), 400, "bad_cursor")  # p=abc


@pytest.mark.parametrize("query", ["kind=rocket", "search=%00", "fleet=%00", "archived=maybe"])
def test_it_never_crashes_on_a_filter(client, query):
    answer = client.get(f"/v1/vehicles?{query}")
    assert answer.status_code in (200, 422)
    if answer.status_code == 422:
        assert_problem(answer, 422, "invalid")


def test_it_never_crashes_on_a_path(client):
    for path in ("%00", "%ff", "x" * 5000, "..%2f", "V1%0a", "'", "😀"):
        answer = client.get(f"/v1/vehicles/{path}")
        assert_problem(answer, 404, "not_found")


def test_it_answers_an_unknown_host(client):
    answer = client.get("/v1/vehicles", headers={"host": "evil.example"})
    assert_problem(answer, 400, "bad_request")


def test_it_answers_a_crash_without_a_word_of_what_happened(client, monkeypatch, caplog):
    def crash(*args, **kwargs):
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr("fleet.api.views.VehicleViewSet.list", crash)
    client.raise_request_exception = False
    answer = client.get("/v1/vehicles")
    assert_problem(answer, 500, "internal_error")
    assert "swordfish" not in answer.content.decode()
    assert "swordfish" in caplog.text


def test_it_keeps_a_sensible_request_id_and_replaces_others(client):
    kept = client.get("/v1/nothing", headers={"x-request-id": "abc-123"}).json()
    assert kept["request_id"] == "abc-123"
    for hostile in ("x" * 65, 'a"b', "new\tline", "é"):
        made = client.get("/v1/nothing", headers={"x-request-id": hostile}).json()
        assert made["request_id"] != hostile and len(made["request_id"]) == 32


def test_it_leaves_pages_alone(db):
    answer = people.Browser().get("/no-such-page")
    assert answer.status_code == 404
    assert not answer.headers["Content-Type"].startswith(CONTENT_TYPE)


async def test_it_stays_async_where_the_server_is():
    async def view(request):
        return HttpResponse("no", status=503, headers={"Retry-After": "2"})

    middleware = ProblemMiddleware(view)
    assert iscoroutinefunction(middleware)
    answer = middleware(AsyncRequestFactory().get("/v1/telemetry/ingest"))
    assert asyncio.iscoroutine(answer)
    response = await answer
    assert response.headers["Content-Type"] == CONTENT_TYPE
    assert response.headers["Retry-After"] == "2"


@override_settings(ALLOWED_HOSTS=["testserver"])
def test_it_answers_a_refusal_raised_outside_the_api_views():
    def view(request):
        raise AssertionError("not called")

    refusal = DomainError("log_full", 503, "Try again.", retry_after=3)
    request = RequestFactory().get("/v1/telemetry/ingest")
    request.META["HTTP_X_REQUEST_ID"] = "r1"
    response = ProblemMiddleware(view).process_exception(request, refusal)
    assert response is not None and response.status_code == 503
    assert response.headers["Retry-After"] == "3"
    elsewhere = RequestFactory().get("/live")
    assert ProblemMiddleware(view).process_exception(elsewhere, refusal) is None


def codes_raised_in(room: str) -> set[str]:
    """The literal codes of every `DomainError` in a room's source."""
    return {
        node.args[0].value
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "DomainError"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def test_it_documents_every_code():
    table = (ROOT / "docs" / "problems.md").read_text()
    raised = codes_raised_in("tenants") | codes_raised_in("fleet") | set(PLAIN_CODES.values())
    assert "last_owner" in raised
    assert not {code for code in raised if f"| `{code}` |" not in table}
