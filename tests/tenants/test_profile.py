"""One's own account: preferences hold on every page, sessions say when they were last used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.template import Context, Template
from django.utils import timezone

from tenants import preferences
from tenants.models import Organisation, Role, User
from tests.people import PASSWORD, Browser, a_member, a_person, an_organisation, client_of

pytestmark = pytest.mark.django_db

NOTHING = {"first_name": "", "last_name": "", "units": "", "time_zone": "", "theme": "", "language": ""}  # fmt: skip


@pytest.fixture
def tenant() -> Organisation:
    return an_organisation()


@pytest.fixture
def person(tenant: Organisation) -> User:
    return a_member(tenant, Role.VIEWER)


def test_it_saves_how_one_likes_values_shown(person: User) -> None:
    browser = client_of(person)
    wishes = {**NOTHING, "first_name": "Ada", "units": "imperial", "time_zone": "Asia/Tokyo",
              "theme": "dark", "language": "en"}  # fmt: skip
    assert browser.post("/settings/profile", wishes).status_code == 302
    person.refresh_from_db()
    assert {name: getattr(person, name) for name in wishes} | {"last_name": ""} == wishes
    assert 'data-theme="dark"' in browser.get("/settings/profile").content.decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("units", "furlongs"),
        ("theme", '"><script>'),
        ("language", "tlh"),
    ],
)
def test_it_refuses_wishes_it_does_not_know(person: User, name: str, value: str) -> None:
    assert client_of(person).post("/settings/profile", {**NOTHING, name: value}).status_code == 422
    person.refresh_from_db()
    assert getattr(person, name) == ""


def shown(person: User | None, tenant: Organisation) -> str:
    """A moment, a distance and a temperature on a page of this person."""
    template = Template(
        "{% load display %}{{ at|moment:org }}|{{ km|distance:org }}|{{ c|temperature:org }}"
    )
    mark = preferences._person.set(person)
    try:
        at = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
        return template.render(Context({"at": at, "km": 100.0, "c": 20.0, "org": tenant}))
    finally:
        preferences._person.reset(mark)


def test_ones_own_wishes_go_before_the_organisations(person: User, tenant: Organisation) -> None:
    tenant.time_zone, tenant.units = "Europe/Paris", "metric"
    assert "21 Nov 2026, 23:30:00" in shown(person, tenant)
    assert "100.0 km|20.0 °C" in shown(person, tenant)
    person.time_zone, person.units = "Asia/Tokyo", "imperial"
    assert "22 Nov 2026, 07:30:00" in shown(person, tenant)
    assert "22:30:00 UTC" in shown(person, tenant)
    assert "62.1 mi|68.0 °F" in shown(person, tenant)
    # Outside a person's request the organisation's hold.
    assert "100.0 km|20.0 °C" in shown(None, tenant)


def test_the_live_page_is_told_the_persons_units(person: User) -> None:
    person.units = "imperial"
    person.save()
    assert '"imperial": true' in client_of(person).get("/").content.decode()
    person.units = "metric"
    person.save()
    assert '"imperial": false' in client_of(person).get("/").content.decode()


def test_it_speaks_the_persons_language_before_the_browsers(person: User, settings: Any) -> None:
    # Django's own words stand in for a catalogue of ours.
    settings.LANGUAGES = [("en", "en"), ("fr", "fr"), ("de", "de")]
    browser = client_of(person)
    page = browser.get("/settings/profile", headers={"accept-language": "de"}).content.decode()
    assert '<html lang="de"' in page
    person.language = "fr"
    person.save()
    page = browser.get("/settings/profile", headers={"accept-language": "de"}).content.decode()
    assert '<html lang="fr"' in page
    # Nothing of it is left for the next request of the same process.
    assert '<html lang="en"' in Browser().get("/accounts/login/").content.decode()


# --- sessions -------------------------------------------------------------------------
def log_in(person: User) -> Browser:
    browser = Browser(headers={"user-agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"})
    answer = browser.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    assert answer.status_code == 302
    return browser


def test_it_tells_when_a_session_was_last_used() -> None:
    person = a_person(password=PASSWORD)
    browser = log_in(person)
    session = UserSession.objects.get(user=person)
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(hours=5))
    cache.clear()
    page = browser.get("/settings/profile").content.decode()
    assert "Last active" in page and "Firefox on Linux" in page
    assert "5 h 0 min ago" in page
    # Now it has been used.
    session.refresh_from_db()
    assert timezone.now() - session.last_seen_at < timedelta(seconds=30)


def test_it_writes_a_sessions_use_once_a_minute(django_assert_num_queries: Any) -> None:
    person = a_person(password=PASSWORD)
    browser = log_in(person)
    cache.clear()
    browser.get("/settings/profile/nothing-here")
    before = UserSession.objects.get(user=person).last_seen_at
    browser.get("/settings/profile")
    assert UserSession.objects.get(user=person).last_seen_at == before


def test_a_token_and_a_stranger_leave_no_session(tenant: Organisation) -> None:
    before = UserSession.objects.count()
    Browser().get("/settings/profile")
    Browser().get("/v1/vehicles")
    assert UserSession.objects.count() == before


def test_it_ends_only_ones_own_sessions() -> None:
    person, other = a_person(password=PASSWORD), a_person(password=PASSWORD)
    mine, theirs = log_in(person), log_in(other)
    listed = theirs.get("/settings/profile").context["sessions"]
    assert mine.post("/settings/profile/sessions", {"session": listed[0][0]}).status_code == 404
    assert theirs.get("/settings/profile").status_code == 200
