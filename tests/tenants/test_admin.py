"""The admin: staff see a customer's rows only inside a support access, and what they
change is recorded."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from fleet.models import DeviceCredential, Geofence, MeterMapping
from fleet.services import map_meter
from tenants import services
from tenants.admin_base import TenantAdmin
from tenants.invitations import invite
from tenants.models import ApiToken, AuditEntry, Organisation, Role, SupportAccess, User
from tests import people

pytestmark = pytest.mark.django_db

CONTENT = ["fleet_fleet", "fleet_vehicle", "fleet_meter", "fleet_device", "fleet_metermapping"]
CONTENT += ["tenants_apitoken", "tenants_membership", "tenants_auditentry"]


@pytest.fixture(params=["staff", "superuser"])
def staff(request) -> User:
    return people.a_person(is_staff=True, is_superuser=request.param == "superuser")


@pytest.fixture
def tenant() -> Organisation:
    tenant = people.an_organisation("Acme")
    vehicle = people.a_vehicle(tenant, "V1", vin_number=people.NORTH_AMERICAN_VIN)
    meter = people.a_meter(tenant, "M1")
    people.a_device(tenant, "D1", vehicle=vehicle)
    people.a_token(tenant)
    invite(actor=people.owner_of(tenant), email="guest@example.org", role=Role.VIEWER)
    map_meter(actor=people.acting(tenant), meter=meter, vehicle=vehicle, valid_from=timezone.now())
    return tenant


def let_in(staff: User, tenant: Organisation, hours: int = 1) -> SupportAccess:
    return services.grant_support_access(
        tenant=tenant, staff=staff, reason="ticket 7", duration=timedelta(hours=hours)
    )


def rows_on(client, name: str) -> int:
    answer = client.get(reverse(f"admin:{name}_changelist"))
    assert answer.status_code == 200, name
    count: int = answer.context["cl"].queryset.count()
    return count


def test_it_shows_staff_nothing_of_a_customer_without_support_access(staff, tenant):
    client = people.client_of(staff)
    assert {name: rows_on(client, name) for name in CONTENT} == dict.fromkeys(CONTENT, 0)
    vehicle = people.a_vehicle(tenant, "V2")
    answer = client.get(reverse("admin:fleet_vehicle_change", args=[vehicle.pk]))
    assert answer.status_code == 302  # the admin sends away from what it cannot find


def test_it_shows_staff_the_one_customer_they_have_access_to(staff, tenant):
    people.a_vehicle(people.an_organisation("Other"), "THEIRS")
    let_in(staff, tenant)
    client = people.client_of(staff)
    assert all(rows_on(client, name) > 0 for name in CONTENT)
    page = client.get(reverse("admin:fleet_vehicle_changelist")).content.decode()
    assert "V1" in page and "THEIRS" not in page


def test_it_shows_nothing_any_more_once_the_access_has_run_out(staff, tenant):
    access = let_in(staff, tenant)
    client = people.client_of(staff)
    assert rows_on(client, "fleet_vehicle") == 1
    SupportAccess.unscoped.filter(pk=access.pk).update(
        granted_at=timezone.now() - timedelta(hours=2),
        expires_at=timezone.now() - timedelta(seconds=1),
    )
    assert rows_on(client, "fleet_vehicle") == 0


def test_it_turns_customers_away(tenant):
    owner = people.the_owner(tenant)
    for name in [*CONTENT, "tenants_supportaccess", "tenants_user", "tenants_organisation"]:
        answer = people.client_of(owner).get(reverse(f"admin:{name}_changelist"))
        assert answer.status_code in (302, 403), name


def test_it_opens_every_page_of_every_row(staff, tenant):
    let_in(staff, tenant)
    yard = {"type": "circle", "centre": [-6.8, 33.9], "radius_m": 100}
    Geofence.unscoped.create(tenant=tenant, reference="yard", name="Yard", shape=yard)
    client = people.client_of(staff)
    for model, page in admin.site._registry.items():
        if model._meta.app_label not in ("tenants", "fleet"):
            continue
        if model is User and not staff.is_superuser:
            continue
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        row = model._default_manager.order_by("pk").last()
        assert row is not None
        answer = client.get(reverse(f"admin:{name}_change", args=[row.pk]))
        assert answer.status_code == 200, name
        assert client.get(reverse(f"admin:{name}_changelist"), {"q": "a"}).status_code == 200, name
        if page.search_fields:
            assert answer.status_code == 200


def test_it_shows_no_secret_no_digest_and_no_vin(staff, tenant):
    let_in(staff, tenant)
    client = people.client_of(staff)
    token = ApiToken.objects.for_tenant(tenant).get()
    credential = DeviceCredential.objects.for_tenant(tenant).get()
    pages = [
        reverse("admin:tenants_apitoken_change", args=[token.pk]),
        reverse("admin:fleet_device_change", args=[credential.device_id]),
        reverse("admin:fleet_vehicle_change", args=[credential.device.vehicle_id]),
    ]
    text = "".join(client.get(page).content.decode() for page in pages)
    assert token.prefix in text and credential.prefix in text
    assert token.digest not in text and credential.digest not in text
    assert people.NORTH_AMERICAN_VIN not in text
    vehicle = credential.device.vehicle
    assert vehicle is not None and vehicle.vin_pseudonym not in text


def test_it_grants_access_with_a_reason_which_the_customer_sees(staff, tenant):
    client = people.client_of(staff)
    client.post(
        reverse("admin:tenants_supportaccess_add"),
        {"tenant": tenant.pk, "reason": "ticket 12", "hours": 2},
    )
    access = SupportAccess.unscoped.get(staff=staff)
    assert timedelta(minutes=119) < access.expires_at - timezone.now() <= timedelta(hours=2)
    owner = people.client_of(people.the_owner(tenant))
    entry = owner.get("/v1/audit", {"action": "support.access_granted"}).json()["results"][0]
    assert (entry["actor"], entry["reason"]) == (f"{staff} (support)", "ticket 12")
    # And the API of that organisation is open to them, to read.
    assert client.get("/v1/vehicles").json()["results"][0]["id"] == "V1"
    refused = client.post("/v1/fleets", {"id": "X", "name": "X"}, "application/json")
    assert refused.json()["code"] == "scope_missing"


@pytest.mark.parametrize("hours", [0, 9])
def test_it_grants_no_access_beyond_eight_hours(staff, tenant, hours):
    page = people.client_of(staff).post(
        reverse("admin:tenants_supportaccess_add"),
        {"tenant": tenant.pk, "reason": "ticket", "hours": hours},
    )
    assert page.status_code == 200 and page.context["errors"]
    assert not SupportAccess.unscoped.exists()


def test_it_ends_an_access_on_request(staff, tenant):
    access = let_in(staff, tenant)
    client = people.client_of(staff)
    url = reverse("admin:tenants_supportaccess_changelist")
    client.post(url, {"action": "end", "_selected_action": [access.pk]})
    access.refresh_from_db()
    assert access.ended_at is not None
    assert rows_on(client, "fleet_vehicle") == 0
    assert AuditEntry.objects.for_tenant(tenant).filter(action="support.access_ended").exists()


def test_it_records_what_staff_change(staff, tenant):
    let_in(staff, tenant)
    device = people.a_device(tenant, "D2")[0]
    people.client_of(staff).post(
        reverse("admin:fleet_device_change", args=[device.pk]),
        {
            "name": "Renamed",
            "credentials-TOTAL_FORMS": 0,
            "credentials-INITIAL_FORMS": 0,
        },
    )
    device.refresh_from_db()
    assert device.name == "Renamed"
    entry = AuditEntry.objects.for_tenant(tenant).get(action="device.updated")
    assert entry.actor == staff and entry.actor_label.endswith("(support)")
    assert entry.changes == {"name": ["D2", "Renamed"]}


def test_it_says_why_a_change_was_refused_instead_of_crashing(staff, tenant):
    let_in(staff, tenant)
    vehicle = people.a_vehicle(tenant, "V3", vin_number=people.OTHER_NORTH_AMERICAN_VIN)
    answer = people.client_of(staff).post(
        reverse("admin:fleet_vehicle_change", args=[vehicle.pk]),
        {"name": people.OTHER_NORTH_AMERICAN_VIN, "kind": "van", "silent_after_s": 300},
        follow=True,
    )
    assert "The VIN may stand in no field" in answer.content.decode()
    vehicle.refresh_from_db()
    assert vehicle.name == "V3"


def test_it_revokes_tokens_and_credentials_by_action(staff, tenant):
    let_in(staff, tenant)
    client = people.client_of(staff)
    token = ApiToken.objects.for_tenant(tenant).get()
    credential = DeviceCredential.objects.for_tenant(tenant).get()
    client.post(
        reverse("admin:tenants_apitoken_changelist"),
        {"action": "revoke", "_selected_action": [token.pk]},
    )
    client.post(
        reverse("admin:fleet_device_changelist"),
        {"action": "revoke", "_selected_action": [credential.device_id]},
    )
    token.refresh_from_db()
    credential.refresh_from_db()
    assert token.revoked_at is not None and credential.revoked_at is not None


def test_it_bases_every_page_of_a_customers_rows_on_the_restricted_one():
    for model, page in admin.site._registry.items():
        fields = {field.attname for field in model._meta.concrete_fields}
        if "tenant_id" in fields and model is not SupportAccess:
            assert isinstance(page, TenantAdmin), model


def test_it_changes_people_only_by_superusers(tenant):
    somebody = people.a_person()
    staff = people.a_person(is_staff=True)
    url = reverse("admin:tenants_user_change", args=[somebody.pk])
    assert people.client_of(staff).get(url).status_code == 403
    root = people.a_person(is_staff=True, is_superuser=True)
    body = {"email": somebody.email, "first_name": "New", "is_active": "on"}
    body |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    assert people.client_of(root).post(url, body).status_code == 302
    entry = AuditEntry.unscoped.get(action="user.updated")
    assert entry.changes["first_name"] == ["", "New"]


def test_it_counts_as_many_mappings_as_there_are(staff, tenant):
    let_in(staff, tenant)
    found = rows_on(people.client_of(staff), "fleet_metermapping")
    assert found == MeterMapping.objects.for_tenant(tenant).count()


def test_it_sends_strangers_of_the_admin_to_the_one_log_in():
    answer = people.Browser().get("/admin/login/")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("account_login"))
