"""Operations: who may see them, and rates between two looks."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from tenants.models import Role
from tests.console.conftest import Company, hear
from tests.console.test_energy_page import this_hour, use_hour
from tests.people import client_of


def test_it_shows_operations_to_owners_and_to_staff_alone(company: Company) -> None:
    hear(company)
    answers = {
        role: company.browser(role).get(reverse("operations")).status_code for role in Role.values
    }
    assert answers == {"owner": 200, "manager": 403, "dispatcher": 403, "viewer": 403}
    staff = company.people[Role.VIEWER]
    staff.is_staff = True
    staff.save()
    assert client_of(staff).get(reverse("operations")).status_code == 200


def test_it_measures_rates_between_two_looks(company: Company) -> None:
    owner = company.browser(Role.OWNER)
    with time_machine.travel(timezone.now() - timedelta(seconds=30), tick=False):
        first = owner.get(reverse("operations"))
    assert first.context["rates"] is None
    use_hour(company, this_hour())
    second = owner.get(reverse("operations"), {"before": first.context["token"]})
    readings, refused = second.context["rates"]
    assert readings == pytest.approx(2, rel=0.1)  # sixty in half a minute
    assert refused == 0


def test_it_believes_no_made_up_counters(company: Company, stranger: Company) -> None:
    theirs = stranger.browser(Role.OWNER).get(reverse("operations")).context["token"]
    for token in ("nonsense", theirs):
        shown = company.browser(Role.OWNER).get(reverse("operations"), {"before": token})
        assert shown.context["rates"] is None
