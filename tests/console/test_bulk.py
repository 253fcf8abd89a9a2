"""Many rows at once: all or none, undone in one go, and nobody else's."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from fleet import services
from fleet.models import Vehicle
from tenants.models import AuditEntry, Role
from tests.console.conftest import Company
from tests.people import acting


@pytest.fixture
def vans(company: Company) -> list[str]:
    for n in range(2, 5):
        services.create_vehicle(
            actor=acting(company.tenant), reference=f"V{n}", name=f"Van {n}", fleet=company.fleet
        )
    return ["V2", "V3", "V4"]


def archived(company: Company) -> set[str]:
    rows = Vehicle.objects.for_tenant(company.tenant).filter(archived_at__isnull=False)
    return set(rows.values_list("reference", flat=True))


def test_it_archives_all_that_were_chosen_and_takes_it_back(
    company: Company, vans: list[str]
) -> None:
    browser = company.browser()
    page = browser.post("/vehicles/bulk", {"action": "archive", "row": vans}, follow=True)
    assert "3 were archived." in page.content.decode()
    assert archived(company) == set(vans)
    trail = AuditEntry.objects.for_tenant(company.tenant).filter(action="vehicle.archived")
    assert trail.count() == 3
    [message] = page.context["messages"]
    assert urlsplit(message.extra_tags).path == "/vehicles/bulk"
    page = browser.post(message.extra_tags, follow=True)
    assert "3 are back in service." in page.content.decode()
    assert archived(company) == set()


def test_it_changes_none_where_one_cannot_be(company: Company) -> None:
    """The fleet with vehicles in it cannot be archived; the empty one beside it stays too."""
    services.create_fleet(actor=acting(company.tenant), reference="EMPTY", name="Empty")
    rows = ["EMPTY", company.fleet.reference]
    page = company.browser().post("/fleets/bulk", {"action": "archive", "row": rows}, follow=True)
    assert "Nothing was changed." in page.content.decode()
    assert not type(company.fleet).objects.for_tenant(company.tenant).exclude(archived_at=None)


def test_it_moves_to_another_fleet(company: Company, vans: list[str]) -> None:
    services.create_fleet(actor=acting(company.tenant), reference="F2", name="Second")
    body = {"action": "move", "fleet": "F2", "row": vans}
    assert "3 were moved." in (
        company.browser().post("/vehicles/bulk", body, follow=True).content.decode()
    )
    moved = Vehicle.objects.for_tenant(company.tenant).filter(fleet__reference="F2")
    assert set(moved.values_list("reference", flat=True)) == set(vans)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "archive"},
        {"action": "archive", "row": ["V2", "NOBODY"]},
        {"action": "archive", "row": ["V2", "a\0b"]},
        {"action": "delete", "row": ["V2"]},
        {"action": "move", "row": ["V2"], "fleet": "NOWHERE"},
        {"action": "move", "row": ["V2"], "fleet": "F\0"},
        {"action": "archive", "row": [f"V{n}" for n in range(200)]},
    ],
)
def test_it_does_nothing_for_what_it_does_not_know(
    company: Company, vans: list[str], body: dict[str, object]
) -> None:
    assert company.browser().post("/vehicles/bulk", body).status_code == 404
    assert archived(company) == set()


def test_it_does_not_know_another_organisations_rows(company: Company, stranger: Company) -> None:
    extra = services.create_vehicle(
        actor=acting(stranger.tenant), reference="THEIRS", name="Theirs", fleet=stranger.fleet
    )
    answer = company.browser().post("/vehicles/bulk", {"action": "archive", "row": ["THEIRS"]})
    assert answer.status_code == 404
    extra.refresh_from_db()
    assert extra.archived_at is None
    body = {"action": "move", "row": ["V1"], "fleet": "F1"}
    # The same name in one's own organisation is one's own.
    assert company.browser().post("/vehicles/bulk", body).status_code == 302


@pytest.mark.parametrize("role", [Role.VIEWER, Role.DISPATCHER])
def test_it_is_not_for_everybody(company: Company, vans: list[str], role: Role) -> None:
    body = {"action": "archive", "row": vans}
    assert company.browser(role).post("/vehicles/bulk", body).status_code == 403
    assert 'id="bulk"' not in company.browser(role).get("/vehicles").content.decode()
    assert 'id="bulk"' in company.browser().get("/vehicles").content.decode()
