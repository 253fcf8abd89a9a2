"""Every page of things and settings: who may see it, what it costs, what it says when empty."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from fleet import services
from tenants.models import Role
from tests.console.conftest import Company, hear, refuse
from tests.people import Browser, acting, an_organisation, owner_of

READ = [
    ("vehicles", {}),
    ("meters", {}),
    ("fleets", {}),
    ("devices", {}),
    ("vehicles-export", {}),
    ("meters-export", {}),
    ("fleets-export", {}),
    ("devices-export", {}),
    ("vehicle-dark", {"vehicle_id": "V1"}),
    ("meter", {"meter_id": "M1"}),
    ("device", {"device_id": "D1"}),
    ("device-light", {"device_id": "D1"}),
    ("device-messages", {"device_id": "D1"}),
    ("quality", {}),
    ("start", {}),
    ("handover", {}),
    ("palette", {}),
    ("profile", {}),
]
CHANGE = [
    ("vehicle-new", {}),
    ("vehicle-edit", {"vehicle_id": "V1"}),
    ("vehicles-import", {}),
    ("meter-new", {}),
    ("meter-edit", {"meter_id": "M1"}),
    ("mapping-new", {"meter_id": "M1"}),
    ("fleet-new", {}),
    ("fleet-edit", {"fleet_id": "F1"}),
    ("device-new", {}),
    ("device-edit", {"device_id": "D1"}),
    ("devices-import", {}),
]
ADMINISTER: list[tuple[str, dict[str, str]]] = [
    ("settings", {}),
    ("members", {}),
    ("tokens", {}),
    ("audit", {}),
]


def opened(browser: Browser, name: str, ids: dict[str, str]) -> Any:
    return browser.get(reverse(name, kwargs=ids))


@pytest.mark.parametrize(("name", "ids"), READ)
def test_it_shows_every_role_what_may_be_read(
    company: Company, name: str, ids: dict[str, str]
) -> None:
    hear(company)
    refuse(company)
    for role in Role.values:
        assert opened(company.browser(role), name, ids).status_code == 200


@pytest.mark.parametrize(("name", "ids"), CHANGE)
def test_it_lets_only_managers_and_owners_change_things(
    company: Company, name: str, ids: dict[str, str]
) -> None:
    answers = {r: opened(company.browser(r), name, ids).status_code for r in Role.values}
    assert answers == {"owner": 200, "manager": 200, "dispatcher": 403, "viewer": 403}


@pytest.mark.parametrize(("name", "ids"), ADMINISTER)
def test_it_lets_only_owners_into_the_settings(
    company: Company, name: str, ids: dict[str, str]
) -> None:
    answers = {r: opened(company.browser(r), name, ids).status_code for r in Role.values}
    assert answers == {"owner": 200, "manager": 403, "dispatcher": 403, "viewer": 403}


@pytest.mark.parametrize(("name", "ids"), [*READ, *CHANGE, *ADMINISTER])
def test_it_sends_a_stranger_without_log_in_to_the_log_in(
    company: Company, name: str, ids: dict[str, str]
) -> None:
    answer = opened(Browser(), name, ids)
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


def test_ctrl_k_knows_every_page_of_the_rail_and_each_once(company: Company) -> None:
    page = company.browser(Role.OWNER).get(reverse("vehicles")).content.decode()
    rail, _, rest = page.partition("</nav>")
    known = re.findall(r'<a href="([^"]+)"', rest.partition('id="palette-pages"')[2])
    known = known[: known.index(reverse("api-docs")) + 1]
    assert len(known) == len(set(known)), "a page stands there twice"
    assert set(re.findall(r'class="rail__link[^"]*" href="([^"]+)"', rail)) <= set(known)


def test_it_does_not_know_another_organisations_things(company: Company) -> None:
    other = an_organisation("Elsewhere")
    browser = Browser()
    user = owner_of(other).user
    assert user is not None
    browser.force_login(user)
    for name, ids in [*READ, *CHANGE]:
        if ids:
            assert opened(browser, name, ids).status_code == 404, name
    for name in ("vehicles", "meters", "fleets", "devices"):
        assert "Atlas" not in browser.get(reverse(name)).content.decode()


QUERIES = {
    # Session and person, memberships twice (the page's, the switcher's), open alerts, then:
    "vehicles": 5 + 4,  # states, fleets, page, latest states
    "meters": 5 + 4,
    "devices": 5 + 4,  # states, page, health, credentials
    "fleets": 5 + 2,
}


@pytest.mark.parametrize("name", QUERIES)
def test_it_asks_no_more_questions_for_more_rows(
    company: Company, name: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    actor = acting(company.tenant)
    for n in range(20):
        v = services.create_vehicle(
            actor=actor, reference=f"W{n}", name=f"Van {n}", fleet=company.fleet
        )
        services.provision_device(actor=actor, reference=f"E{n}", name=f"T {n}", vehicle=v)
        services.create_meter(actor=actor, reference=f"N{n}", name=f"M {n}", fleet=company.fleet)
        services.create_fleet(actor=actor, reference=f"G{n}", name=f"F {n}")
    hear(company)
    browser = company.browser()
    with django_assert_num_queries(QUERIES[name]):
        browser.get(reverse(name))


def test_it_tells_an_empty_organisation_what_to_do_next(db: None) -> None:
    owner = owner_of(an_organisation("Empty")).user
    assert owner is not None
    browser = Browser()
    browser.force_login(owner)
    page = browser.get(reverse("vehicles")).content.decode()
    assert "No vehicles yet" in page
    assert reverse("vehicle-new") in page
    assert "Nothing was refused" in browser.get(reverse("quality")).content.decode()
    assert "needs a fleet first" in browser.get(reverse("vehicle-new")).content.decode()


def test_it_sorts_and_pages_by_last_seen(company: Company) -> None:
    hear(company)
    actor = acting(company.tenant)
    for n in range(60):
        services.create_vehicle(
            actor=actor, reference=f"W{n:02}", name=f"Wan {n:02}", fleet=company.fleet
        )
    browser = company.browser()
    first = browser.get(reverse("vehicles"), {"sort": "-seen"})
    names = [row.name for row in first.context["table"].rows]
    assert names[0] == "Atlas van"
    assert len(names) == 50
    second = browser.get(reverse("vehicles") + first.context["table"].older)
    rest = [row.name for row in second.context["table"].rows]
    assert len(rest) == 11
    assert not set(names) & set(rest)
    back = browser.get(reverse("vehicles") + second.context["table"].newer)
    assert [row.name for row in back.context["table"].rows] == names


def test_it_lists_names_as_people_count_them(company: Company) -> None:
    actor = acting(company.tenant)
    names = ["bay 3", "Bay 11", "Élan", "elan 2", "Zebra", "atlas"]
    for n, name in enumerate(names):
        services.create_fleet(actor=actor, reference=f"G{n}", name=name)
    wanted = ["atlas", "bay 3", "Bay 11", "Élan", "elan 2", "Zebra"]
    for sort, order in (("name", wanted), ("-name", wanted[::-1])):
        shown = company.browser().get(reverse("fleets"), {"sort": sort}).context["table"].rows
        assert [row.name for row in shown if row.name in names] == order


def test_it_pages_by_name_across_numbers_of_any_length(company: Company) -> None:
    actor = acting(company.tenant)
    for n in range(1, 121):
        services.create_vehicle(
            actor=actor, reference=f"W{n}", name=f"Wan {n}", fleet=company.fleet
        )
    browser, query, seen = company.browser(), "?sort=name", []
    while query:
        table = browser.get(reverse("vehicles") + query).context["table"]
        seen += [row.name for row in table.rows]
        query = table.older
    assert seen == ["Atlas van", *(f"Wan {n}" for n in range(1, 121))]


@pytest.mark.parametrize("cursor", ["x", "W10=", "WyJhIiwgImIiXQ==", "WzEsIDJd", "eyJhIjoxfQ=="])
def test_it_shows_the_first_page_for_a_made_up_cursor(company: Company, cursor: str) -> None:
    for sort in ("-seen", "name", "nonsense"):
        answer = company.browser().get(reverse("vehicles"), {"after": cursor, "sort": sort})
        assert answer.status_code == 200


def test_it_filters_by_state(company: Company) -> None:
    hear(company, ago=timedelta(hours=2))
    browser = company.browser()

    def shown(state: str) -> list[str]:
        answer = browser.get(reverse("vehicles"), {"state": state})
        return [row.reference for row in answer.context["table"].rows]

    assert shown("silent") == ["V1"]
    assert shown("reporting") == []
    assert shown("never") == []


def test_it_answers_htmx_with_the_table_alone(company: Company) -> None:
    answer = company.browser().get(reverse("vehicles"), headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert page.lstrip().startswith("<section")
    assert "HX-Request" in answer["Vary"]
