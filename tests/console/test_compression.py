"""Pages travel compressed, and nothing else is touched."""

from __future__ import annotations

import gzip

from django.urls import reverse

from tenants.models import Role
from tests.console.conftest import Company


def test_a_page_comes_compressed_to_whom_takes_it(company: Company) -> None:
    browser = company.browser(Role.VIEWER)
    plain = browser.get(reverse("vehicles"))
    assert "Content-Encoding" not in plain
    packed = browser.get(reverse("vehicles"), headers={"accept-encoding": "gzip, br"})
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]
    assert "Atlas" in gzip.decompress(packed.content).decode()
    assert len(packed.content) < len(plain.content) / 2


def test_an_answer_of_the_api_comes_as_it_is(company: Company) -> None:
    browser = company.browser(Role.VIEWER)
    answer = browser.get("/v1/vehicles", headers={"accept-encoding": "gzip"})
    assert answer.status_code == 200 and "Content-Encoding" not in answer
