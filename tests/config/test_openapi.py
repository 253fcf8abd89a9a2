"""The API describes itself, correctly, and the committed description is the true one."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import msgspec
import pytest
from django.core.management import call_command

from tests import people

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def schema() -> dict:
    out = StringIO()
    call_command(
        "spectacular", "--format", "openapi-json", "--validate", "--fail-on-warn", stdout=out
    )
    return msgspec.json.decode(out.getvalue(), type=dict)


def operations(schema: dict):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_it_describes_every_error_as_a_problem(schema):
    assert schema["openapi"] == "3.1.1"
    for name, operation in operations(schema):
        problems = {
            status: answer
            for status, answer in operation["responses"].items()
            if status == "default" or int(status) >= 400
        }
        assert "default" in problems, name
        if operation.get("security"):
            # Ingest is bounded by what the log takes (503), not by a rate of requests.
            limited = set() if name == "POST /v1/telemetry/ingest" else {"429"}
            assert {"401", "403"} | limited <= problems.keys(), name
        for status, answer in problems.items():
            assert "application/problem+json" in answer["content"], (name, status)


def test_it_names_the_scope_of_every_operation_that_needs_one(schema):
    for name, operation in operations(schema):
        path = name.split()[1]
        if path.startswith(("/v1/fleets", "/v1/vehicles", "/v1/tokens", "/v1/members")):
            assert "Scope: `" in operation["description"], name


def test_it_never_describes_a_vin_or_secret_as_readable(schema):
    components = schema["components"]["schemas"]
    for name in ("Vehicle", "WrittenVehicle", "Device", "Token"):
        fields = components[name]["properties"].keys()
        assert not {"vin", "secret", "digest"} & fields, name


def test_it_has_the_committed_description():
    out = StringIO()
    call_command("spectacular", stdout=out)
    committed = (ROOT / "docs" / "openapi.yaml").read_text()
    assert out.getvalue().strip() == committed.strip(), "regenerate docs/openapi.yaml"


def test_it_serves_the_description_and_a_page_to_everyone(db):
    browser = people.Browser()
    assert browser.get("/v1/openapi.json").json()["info"]["title"] == "Outrider"
    assert browser.get("/v1/openapi.yaml").status_code == 200
    page = browser.get("/v1/docs")
    assert page.status_code == 200
    text = page.content.decode()
    # The content security policy allows no inline script: everything comes from a URL.
    assert "<script>" not in text and "cdn" not in text
    script = browser.get("/v1/docs?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert "/v1/openapi.json" in script.content.decode()
