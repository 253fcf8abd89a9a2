"""Pages of refusals and of faults: in the same hand, whatever is broken behind them."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import RequestFactory
from django.views.defaults import server_error

from tenants.models import Organisation, Role
from tests.people import PASSWORD, Browser, a_member, a_person, an_organisation, client_of


def test_the_page_of_a_fault_needs_no_database() -> None:
    """No `db` here: a query would fail the test."""
    answer = server_error(RequestFactory().get("/"))
    page = answer.content.decode()
    assert answer.status_code == 500
    assert "Something broke on our side" in page
    assert "<link" not in page and "src=" not in page, "nor any other file of ours"


@pytest.mark.django_db
def test_a_database_that_is_away_ends_in_that_page(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError
    from django.db.models import sql

    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("too many clients")

    browser = client_of(a_member(an_organisation(), Role.VIEWER))
    browser.raise_request_exception = False
    monkeypatch.setattr(sql.compiler.SQLCompiler, "execute_sql", away)
    for path in ("/", "/vehicles", "/settings/profile", "/accounts/login/"):
        answer = browser.get(path)
        assert answer.status_code == 500, path
        assert "Something broke on our side" in answer.content.decode()
    told = browser.get("/v1/vehicles")
    assert told.status_code in (500, 503)
    assert told.headers["content-type"].startswith("application/problem+json")


@pytest.mark.django_db
def test_refusals_say_what_to_do() -> None:
    tenant: Organisation = an_organisation()
    viewer = client_of(a_member(tenant, Role.VIEWER))
    refused = viewer.get("/settings/members")
    assert refused.status_code == 403
    assert "ask an owner of your organisation" in refused.content.decode()
    missing = viewer.get("/vehicles/NO-SUCH/")
    assert missing.status_code == 404 and "There is no such page" in missing.content.decode()
    forged = client_of(a_member(tenant, Role.OWNER), csrf=True).post("/settings/members", {})
    assert forged.status_code == 403 and "Reload the page" in forged.content.decode()
    nowhere = client_of(a_person()).get("/")
    assert nowhere.status_code == 403 and "no organisation yet" in nowhere.content.decode()


@pytest.mark.django_db
def test_guessing_passwords_slows_down_and_says_so() -> None:
    """By address, whatever account is guessed at; somebody elsewhere still gets in."""
    guesser = Browser(REMOTE_ADDR="203.0.113.99")
    person = a_person(password=PASSWORD)
    answers = [
        guesser.post("/accounts/login/", {"login": f"{n}@example.org", "password": "guess-word"})
        for n in range(11)
    ]
    answers.append(guesser.post("/accounts/login/", {"login": person.email, "password": PASSWORD}))
    page = answers[-1].content.decode()
    assert answers[0].status_code == 200
    assert answers[-1].status_code in (200, 429)
    assert "Too many" in page, page
    assert "_auth_user_id" not in guesser.session
    elsewhere = Browser(REMOTE_ADDR="203.0.113.100")
    form = {"login": person.email, "password": PASSWORD}
    assert elsewhere.post("/accounts/login/", form).status_code == 302


@pytest.mark.django_db
def test_a_known_and_an_unknown_address_get_the_same_answer() -> None:
    person = a_person(password=PASSWORD)
    told: list[tuple[Any, ...]] = []
    for email in (person.email, "nobody@example.org"):
        browser = Browser(REMOTE_ADDR="203.0.113.101")
        answer = browser.post("/accounts/login/", {"login": email, "password": "wrong guess"})
        told.append((answer.status_code, str(answer.context["form"].non_field_errors())))
        reset = browser.post("/accounts/password/reset/", {"email": email})
        told[-1] += (reset.status_code, reset.headers.get("Location"))
    assert told[0] == told[1]


@pytest.mark.django_db
def test_nobody_takes_on_an_address_that_was_not_proven() -> None:
    person = a_member(an_organisation(), Role.VIEWER)
    own = person.email
    browser = client_of(person)
    for body in (
        {"action_add": "", "email": "ceo@example.org"},
        {"action_primary": "", "email": "ceo@example.org"},
    ):
        assert browser.post("/accounts/email/", body).status_code == 302
    person.refresh_from_db()
    assert person.email == own
    assert not EmailAddress.objects.filter(email="ceo@example.org").exists()
