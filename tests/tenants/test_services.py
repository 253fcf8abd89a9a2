"""Changes to organisations and people, and the trail they leave."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from tenants import services
from tenants.actors import Actor
from tenants.errors import DomainError
from tenants.models import ROLE_SCOPES, AuditEntry, Membership, Organisation, Role, Scope
from tests import people

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Organisation:
    return people.an_organisation()


def refusal(code: str):
    return pytest.raises(DomainError, check=lambda error: error.code == code)


def actions_of(tenant: Organisation) -> list[str]:
    entries = AuditEntry.objects.for_tenant(tenant).order_by("pk")
    return list(entries.values_list("action", flat=True))


# --- the trail ------------------------------------------------------------------------
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenants_auditentry SET reason = 'none'",
        "DELETE FROM tenants_auditentry",
        "TRUNCATE tenants_auditentry",
    ],
)
def test_it_lets_nobody_rewrite_the_audit_trail_by_sql(tenant, statement):
    before = list(AuditEntry.unscoped.values())
    assert before
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else TRUNCATE stumbles over those
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert list(AuditEntry.unscoped.values()) == before


def test_it_lets_nobody_rewrite_the_audit_trail_by_the_orm(tenant):
    entry = AuditEntry.objects.for_tenant(tenant).get()
    entry.reason = "none"
    for change in (entry.save, entry.delete, AuditEntry.unscoped.all().delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


def test_it_records_nothing_of_what_was_rolled_back(tenant):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.update_organisation(actor=people.owner_of(tenant), name="Other")
        _ = 1 / 0
    tenant.refresh_from_db()
    assert tenant.name != "Other"
    assert "organisation.updated" not in actions_of(tenant)


# --- organisations --------------------------------------------------------------------
def test_it_creates_an_organisation_with_its_first_owner():
    owner = people.a_person()
    tenant = services.create_organisation(name="Acme", slug="acme", owner=owner)
    assert Membership.objects.for_tenant(tenant).get().role == Role.OWNER
    assert actions_of(tenant) == ["organisation.created"]
    with refusal("slug_taken"):
        services.create_organisation(name="Acme", slug="acme", owner=owner)


def test_it_records_what_changed_before_and_after(tenant):
    services.update_organisation(actor=people.owner_of(tenant), time_zone="Africa/Casablanca")
    entry = AuditEntry.objects.for_tenant(tenant).get(action="organisation.updated")
    assert entry.changes == {"time_zone": ["UTC", "Africa/Casablanca"]}


def test_it_refuses_a_time_zone_that_is_none(tenant):
    with refusal("unknown_time_zone"):
        services.update_organisation(actor=people.owner_of(tenant), time_zone="Mars/Olympus")


# --- members --------------------------------------------------------------------------
def test_it_keeps_the_last_owner(tenant):
    actor = people.owner_of(tenant)
    membership = Membership.objects.for_tenant(tenant).get()
    with refusal("last_owner"):
        services.remove_member(actor=actor, membership=membership)
    with refusal("last_owner"):
        services.change_role(actor=actor, membership=membership, role=Role.MANAGER)
    services.add_member(actor=actor, email="second@example.org", role=Role.OWNER)
    services.remove_member(actor=actor, membership=membership)
    with refusal("last_owner"):
        second = Membership.objects.for_tenant(tenant).get()
        services.change_role(actor=actor, membership=second, role=Role.VIEWER)


def test_it_counts_a_deactivated_owner_as_none(tenant):
    actor = people.owner_of(tenant)
    second = services.add_member(actor=actor, email="second@example.org", role=Role.OWNER)
    second.user.is_active = False
    second.user.save()
    first = Membership.objects.for_tenant(tenant).get(user=actor.user)
    with refusal("last_owner"):
        services.remove_member(actor=actor, membership=first)


def test_it_adds_a_person_once_whatever_the_case_of_their_address(tenant):
    actor = people.owner_of(tenant)
    services.add_member(actor=actor, email="Ada@Example.org", role=Role.VIEWER)
    with refusal("already_member"):
        services.add_member(actor=actor, email="ada@EXAMPLE.org", role=Role.VIEWER)


def test_it_lets_nobody_grant_a_role_beyond_their_own_scopes(tenant):
    actor = Actor(tenant, frozenset({Scope.ORG_ADMIN}), "token")
    for role in Role.values:
        with refusal("role_exceeded"):
            services.add_member(actor=actor, email="x@example.org", role=role)


# --- tokens ---------------------------------------------------------------------------
def test_it_keeps_only_a_digest_of_a_token(tenant):
    token, secret = services.issue_token(
        actor=people.owner_of(tenant), name="erp", scopes=[Scope.FLEET_READ]
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM tenants_apitoken t")
        rows = str(cursor.fetchall())
    assert token.prefix in rows and secret.split("_", 2)[2] not in rows
    assert actions_of(tenant)[-1] == "token.issued"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.DISPATCHER, Role.MANAGER])
def test_it_gives_a_token_no_more_than_its_issuer_holds(tenant, role):
    actor = Actor.member(tenant, people.a_member(tenant, role), role)
    for scope in Scope.values:
        if scope in ROLE_SCOPES[role]:
            services.issue_token(actor=actor, name="t", scopes=[scope])
        else:
            with refusal("scope_exceeded"):
                services.issue_token(actor=actor, name="t", scopes=[scope])


@pytest.mark.parametrize("scopes", [[], ["everything"]])
def test_it_issues_no_token_for_nothing_or_the_unknown(tenant, scopes):
    with refusal("unknown_scope"):
        services.issue_token(actor=people.owner_of(tenant), name="t", scopes=scopes)


def test_it_issues_no_token_that_has_expired(tenant):
    with refusal("expiry_past"):
        services.issue_token(
            actor=people.owner_of(tenant),
            name="t",
            scopes=[Scope.FLEET_READ],
            expires_at=timezone.now(),
        )


# --- support --------------------------------------------------------------------------
def grant(tenant: Organisation, **options):
    options.setdefault("staff", people.a_person(is_staff=True))
    options.setdefault("duration", timedelta(hours=1))
    options.setdefault("reason", "ticket 7")
    return services.grant_support_access(tenant=tenant, **options)


def test_it_grants_support_access_to_staff_with_a_reason_for_up_to_eight_hours(tenant):
    grant(tenant, duration=timedelta(hours=8))
    entry = AuditEntry.objects.for_tenant(tenant).get(action="support.access_granted")
    assert entry.reason == "ticket 7"
    with refusal("not_staff"):
        grant(tenant, staff=people.a_person())
    with refusal("reason_missing"):
        grant(tenant, reason=" ")
    for duration in (timedelta(hours=8, seconds=1), timedelta(0), timedelta(hours=-1)):
        with refusal("duration_invalid"):
            grant(tenant, duration=duration)


def test_it_ends_support_access_once(tenant):
    access = grant(tenant)
    ended = services.end_support_access(access=access, by=access.staff)
    again = services.end_support_access(access=access, by=access.staff)
    assert ended.ended_at == again.ended_at is not None
    assert actions_of(tenant).count("support.access_ended") == 1
