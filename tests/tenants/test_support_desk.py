"""The support desk: its lists, its home, and what staff cannot get by asking cleverly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fleet.models import Vehicle
from tenants import closing, services
from tenants.errors import DomainError
from tenants.models import ApiToken, AuditEntry, Organisation, Role, SupportAccess, User
from tests import people
from tests.worlds import MARK, build_world

pytestmark = pytest.mark.django_db

PAGES = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def staff() -> User:
    return people.a_person(is_staff=True, is_superuser=True)


@pytest.fixture
def tenant() -> Organisation:
    tenant = people.an_organisation("Acme")
    vehicle = people.a_vehicle(tenant, "V1", vin_number=people.NORTH_AMERICAN_VIN, plate="AB-77")
    people.a_device(tenant, "TRACKER-9", vehicle=vehicle)
    return tenant


def let_in(staff: User, tenant: Organisation) -> SupportAccess:
    return services.grant_support_access(
        tenant=tenant, staff=staff, reason="ticket 7", duration=timedelta(hours=1)
    )


# --- lists ----------------------------------------------------------------------------
def queries_of(browser: people.Browser, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert browser.get(path).status_code == 200, path
    return len(queries)


def test_no_list_asks_more_questions_for_more_rows(staff: User) -> None:
    """Every page of the admin, with the rows of one customer and of four."""
    browser = people.client_of(staff)
    let_in(staff, build_world("First").organisation)
    lists = {
        m: reverse(f"admin:{m._meta.app_label}_{m._meta.model_name}_changelist") for m in PAGES
    }
    for path in lists.values():
        browser.get(path)  # whatever is remembered for later is remembered now
    before = {model: queries_of(browser, path) for model, path in lists.items()}
    for name in ("Second", "Third", "Fourth"):
        let_in(staff, build_world(name).organisation)
    after = {model: queries_of(browser, path) for model, path in lists.items()}
    grown = {m._meta.label: (before[m], after[m]) for m in PAGES if after[m] > before[m]}
    assert grown == {}


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model._meta.label)
def test_every_list_can_be_searched_and_filtered(model: Any) -> None:
    page = admin.site._registry[model]
    assert page.search_fields, "a customer names something: it must be found"
    assert page.list_filter or model._meta.label in {
        "telemetry.MeterLatest",
        "telemetry.VehicleLatest",
    }
    assert len(page.list_display) > 1


# --- home -----------------------------------------------------------------------------
def ask(browser: people.Browser, words: str) -> str:
    answer = browser.post("/admin/", {"dark": words})
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.parametrize("words", ["V1", "v1", "AB-77", "ab-77", "TRACKER-9", people.NORTH_AMERICAN_VIN, "1m8gdm9axkp042788"])  # fmt: skip
def test_it_explains_why_a_thing_is_dark_by_whatever_names_it(
    staff: User, tenant: Organisation, words: str
) -> None:
    let_in(staff, tenant)
    page = ask(people.client_of(staff), words)
    assert "TRACKER-9 has never sent a reading" in page
    assert reverse("admin:fleet_vehicle_change", args=[Vehicle.unscoped.get(tenant=tenant).pk]) in page or words == "TRACKER-9"  # fmt: skip


def test_it_does_not_repeat_a_vin(staff: User, tenant: Organisation, caplog: Any) -> None:
    let_in(staff, tenant)
    assert people.NORTH_AMERICAN_VIN not in ask(people.client_of(staff), people.NORTH_AMERICAN_VIN)
    assert people.NORTH_AMERICAN_VIN not in caplog.text


@pytest.mark.parametrize("words", ["V1", "AB-77", "TRACKER-9", people.NORTH_AMERICAN_VIN])
def test_it_finds_nothing_where_staff_have_no_access(
    staff: User, tenant: Organisation, words: str
) -> None:
    browser = people.client_of(staff)
    assert "never sent" not in ask(browser, words)
    let_in(staff, people.an_organisation("Other"))
    page = ask(browser, words)
    assert "Nothing of that name" in page and "never sent" not in page


def test_it_stops_at_the_end_of_the_access(staff: User, tenant: Organisation) -> None:
    access = let_in(staff, tenant)
    browser = people.client_of(staff)
    assert "never sent" in ask(browser, "V1")
    SupportAccess.unscoped.filter(pk=access.pk).update(
        granted_at=timezone.now() - timedelta(hours=3),
        expires_at=timezone.now() - timedelta(seconds=1),
    )
    assert "never sent" not in ask(browser, "V1")


@pytest.mark.parametrize("words", ["\0", "%", "_", "' OR 1=1 --", "x" * 500, "<script>alert(1)</script>"])  # fmt: skip
def test_it_survives_odd_words(staff: User, tenant: Organisation, words: str) -> None:
    let_in(staff, tenant)
    assert "<script>alert" not in ask(people.client_of(staff), words)


def test_it_demands_a_csrf_token(staff: User) -> None:
    assert people.client_of(staff, csrf=True).post("/admin/", {"dark": "V1"}).status_code == 403


# --- cleverness -----------------------------------------------------------------------
def test_staff_cannot_use_the_access_of_a_colleague(staff: User, tenant: Organisation) -> None:
    let_in(people.a_person(is_staff=True), tenant)
    assert "never sent" not in ask(people.client_of(staff), "V1")


def test_staff_cannot_grant_access_to_somebody_else_or_longer(
    staff: User, tenant: Organisation
) -> None:
    other = people.a_person(is_staff=True)
    people.client_of(staff).post(
        reverse("admin:tenants_supportaccess_add"),
        {
            "tenant": tenant.pk,
            "reason": "x",
            "hours": 1,
            "staff": other.pk,
            "expires_at_0": "2099-01-01",
        },
    )
    access = SupportAccess.unscoped.get()
    assert access.staff == staff
    assert access.expires_at < timezone.now() + timedelta(hours=1, minutes=1)


def test_staff_cannot_prolong_or_delete_an_access(staff: User, tenant: Organisation) -> None:
    access = let_in(staff, tenant)
    browser = people.client_of(staff)
    url = reverse("admin:tenants_supportaccess_change", args=[access.pk])
    assert browser.post(url, {"hours": 8, "reason": "more"}).status_code == 403
    delete = reverse("admin:tenants_supportaccess_delete", args=[access.pk])
    assert browser.post(delete, {"post": "yes"}).status_code == 403
    body = {"action": "delete_selected", "_selected_action": [access.pk], "post": "yes"}
    browser.post(reverse("admin:tenants_supportaccess_changelist"), body)
    assert SupportAccess.unscoped.get().expires_at == access.expires_at


def test_staff_inside_an_organisation_look_and_touch_nothing(
    staff: User, tenant: Organisation
) -> None:
    let_in(staff, tenant)
    browser = people.client_of(staff)
    assert browser.get("/vehicles").status_code == 200
    for path in ("/vehicles/new", "/settings/", "/settings/members", "/settings/audit"):
        assert browser.get(path).status_code == 403, path
    assert browser.post("/vehicles/V1/archive").status_code == 403
    assert browser.post("/vehicles/V1/vin", {"reason": "curious"}).status_code in (403, 404, 405)
    assert not AuditEntry.unscoped.filter(action="vehicle.vin_revealed").exists()


def test_a_person_who_is_staff_no_more_is_out_at_once(staff: User, tenant: Organisation) -> None:
    let_in(staff, tenant)
    browser = people.client_of(staff)
    staff.is_staff = False
    staff.save()
    assert browser.get("/vehicles").status_code == 403
    assert browser.post("/admin/", {"dark": "V1"}).status_code == 302


def test_the_customer_sees_who_was_there_and_why(staff: User, tenant: Organisation) -> None:
    access = let_in(staff, tenant)
    services.end_support_access(access=access, by=staff)
    owner = people.the_owner(tenant)
    page = people.client_of(owner).get("/settings/audit").content.decode()
    assert "support.access_granted" in page and "ticket 7" in page
    assert "support.access_ended" in page and f"{staff} (support)" in page


# --- shutting an organisation -----------------------------------------------------------
def act_on(browser: people.Browser, tenant: Organisation, action: str, reason: str) -> None:
    body = {"action": action, "_selected_action": [tenant.pk], "reason": reason}
    browser.post(reverse("admin:tenants_organisation_changelist"), body)


def test_it_shuts_an_organisation_with_a_reason_and_opens_it_again(
    staff: User, tenant: Organisation
) -> None:
    browser = people.client_of(staff)
    secret = people.a_token(tenant)
    owner = people.client_of(people.the_owner(tenant))
    act_on(browser, tenant, "archive", " ")
    assert owner.get("/vehicles").status_code == 200, "no reason, no archiving"
    act_on(browser, tenant, "archive", "left us")
    assert owner.get("/vehicles").status_code == 403
    assert people.client_with(secret).get("/v1/vehicles").status_code == 401
    act_on(browser, tenant, "restore", "came back")
    assert owner.get("/vehicles").status_code == 200
    assert people.client_with(secret).get("/v1/vehicles").status_code == 200
    entries = AuditEntry.objects.for_tenant(tenant).filter(action__startswith="organisation.")
    assert {("organisation.archived", "left us"), ("organisation.restored", "came back")} <= set(
        entries.values_list("action", "reason")
    )


def test_only_administrators_shut_organisations(tenant: Organisation) -> None:
    staff = people.a_person(is_staff=True)
    act_on(people.client_of(staff), tenant, "archive", "fun")
    with pytest.raises(DomainError, check=lambda error: error.code == "not_staff"):
        closing.archive_organisation(tenant=tenant, by=staff, reason="fun")
    tenant.refresh_from_db()
    assert tenant.archived_at is None


def test_tokens_show_neither_secret_nor_digest(staff: User, tenant: Organisation) -> None:
    secret = people.a_token(tenant)
    token = ApiToken.objects.for_tenant(tenant).get()
    let_in(staff, tenant)
    browser = people.client_of(staff)
    for path in ("changelist", "change"):
        args = [token.pk] if path == "change" else []
        page = browser.get(reverse(f"admin:tenants_apitoken_{path}", args=args)).content.decode()
        assert token.prefix in page
        assert token.digest not in page and secret.rpartition("_")[2] not in page
    found = browser.get(reverse("admin:tenants_apitoken_changelist"), {"digest__startswith": "0"})
    assert found.status_code in (302, 400), "a digest must not be guessed letter by letter"


def test_it_names_what_a_member_may(staff: User) -> None:
    world = build_world(MARK)
    let_in(staff, world.organisation)
    page = people.client_of(staff).get(reverse("admin:tenants_membership_changelist"))
    assert str(Role.OWNER.label) in page.content.decode()
