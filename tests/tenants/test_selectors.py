"""Who someone is: tokens by their secret, people inside their organisations."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tenants import selectors, services
from tenants.actors import SUPPORT_SCOPES, Actor
from tenants.models import ROLE_SCOPES, ApiToken, Membership, Organisation, Role, User
from tests import people

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Organisation:
    return people.an_organisation()


def test_it_finds_a_token_by_its_secret_in_one_query(tenant, django_assert_num_queries):
    secret = people.a_token(tenant)
    with django_assert_num_queries(1):
        token = selectors.token_from_secret(secret, now=timezone.now())
        assert token is not None and token.tenant == tenant


def test_it_accepts_no_other_secret_with_the_same_prefix(tenant):
    secret = people.a_token(tenant)
    forged = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    assert selectors.token_from_secret(forged, now=timezone.now()) is None


RUBBISH = [
    "",
    "ort",
    "ort__",
    "ort_" + "\x00" * 12 + "_x",
    "ort_é2345678901_x",
    "ord_123456789012_x",
    "ort_123456789012_" + "x" * 10_000,
    "Ω" * 50,
    "ort_%' OR 1=1 --_x",
]


@pytest.mark.parametrize("secret", RUBBISH, ids=repr)
def test_it_takes_any_rubbish_for_an_unknown_token(secret):
    assert selectors.token_from_secret(secret, now=timezone.now()) is None


def test_it_takes_a_token_until_it_expires(tenant):
    expiry = timezone.now() + timedelta(hours=1)
    secret = people.a_token(tenant, expires_at=expiry)
    assert selectors.token_from_secret(secret, now=expiry - timedelta(microseconds=1))
    assert selectors.token_from_secret(secret, now=expiry) is None


def test_it_takes_no_token_that_was_revoked(tenant):
    secret = people.a_token(tenant)
    token = selectors.token_from_secret(secret, now=timezone.now())
    assert token is not None
    services.revoke_token(actor=people.owner_of(tenant), token=token)
    assert selectors.token_from_secret(secret, now=timezone.now()) is None


def test_it_takes_no_token_of_an_archived_organisation(tenant):
    secret = people.a_token(tenant)
    Organisation.objects.update(archived_at=timezone.now())
    assert selectors.token_from_secret(secret, now=timezone.now()) is None


def test_it_writes_the_last_use_at_most_once_a_minute(tenant, django_assert_num_queries):
    people.a_token(tenant)
    token = ApiToken.objects.for_tenant(tenant).get()
    start = timezone.now()
    selectors.note_token_use(token, now=start)
    # Another process has the row as it was before: its write finds nothing to do.
    selectors.note_token_use(token, now=start + timedelta(seconds=59))
    token.refresh_from_db()
    assert token.last_used_at == start
    with django_assert_num_queries(0):
        selectors.note_token_use(token, now=start + timedelta(seconds=59))
    selectors.note_token_use(token, now=start + timedelta(seconds=60))
    token.refresh_from_db()
    assert token.last_used_at == start + timedelta(seconds=60)


@pytest.mark.parametrize("role", Role.values)
def test_it_gives_a_member_the_scopes_of_their_role(tenant, role):
    person = people.a_member(tenant, role)
    assert selectors.scopes_of(person, tenant) == ROLE_SCOPES[role]


def test_it_gives_an_outsider_nothing(tenant):
    outsider = people.the_owner(people.an_organisation())
    assert selectors.scopes_of(outsider, tenant) == frozenset()
    assert selectors.scopes_of(people.a_person(is_staff=True), tenant) == frozenset()


def where(person: User, *, tenant_id: int | None = None) -> Actor:
    actor = selectors.actor_for(person, tenant_id=tenant_id)
    assert actor is not None
    return actor


def test_it_puts_a_person_into_the_organisation_they_chose():
    first, second = people.an_organisation("Alpha"), people.an_organisation("Beta")
    person = people.a_member(first, Role.VIEWER)
    Membership.objects.create(tenant=second, user=person, role=Role.OWNER)
    assert where(person).tenant == first
    assert where(person, tenant_id=second.pk).tenant == second
    assert where(person, tenant_id=second.pk).scopes == ROLE_SCOPES[Role.OWNER]
    # Chosen, and left since.
    Membership.objects.for_tenant(second).filter(user=person).delete()
    assert where(person, tenant_id=second.pk).tenant == first


def test_it_puts_nobody_into_an_archived_organisation(tenant):
    person = people.a_member(tenant, Role.OWNER)
    Organisation.objects.update(archived_at=timezone.now())
    assert selectors.actor_for(person) is None


def test_it_lets_staff_look_while_their_access_lasts(tenant):
    staff = people.a_person(is_staff=True)
    assert selectors.actor_for(staff, tenant_id=tenant.pk) is None
    access = services.grant_support_access(
        tenant=tenant, staff=staff, reason="ticket 7", duration=timedelta(hours=1)
    )
    actor = where(staff, tenant_id=tenant.pk)
    assert actor.tenant == tenant and actor.scopes == SUPPORT_SCOPES and actor.supports
    services.end_support_access(access=access, by=staff)
    assert selectors.actor_for(staff, tenant_id=tenant.pk) is None
