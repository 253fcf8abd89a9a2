"""The API, asked whatever its own description allows and whatever it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.worlds import World, build_world

pytestmark = pytest.mark.django_db

DESCRIPTION = Path(__file__).resolve().parent.parent / "docs" / "openapi.yaml"

# Ingest has a process and hostile tests of its own (tests/telemetry), and so has the stream,
# which answers without end.
schema = schemathesis.openapi.from_path(DESCRIPTION).exclude(
    path=["/v1/telemetry/ingest", "/v1/telemetry/stream"]
)
product = get_wsgi_application()


def over_tls(environ: dict[str, Any], start_response: Any) -> Any:
    return product(environ | {"wsgi.url_scheme": "https"}, start_response)


schema.app = over_tls


@pytest.fixture
def somebody() -> Iterator[World]:
    # As Django's own test client does: the end of a request must not end the test's connection.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield build_world("Zwicky7")
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_it_answers_as_it_says(case: Case, somebody: World) -> None:
    case.call_and_validate(
        headers={"Authorization": f"Bearer {somebody.token}"},
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
    )
