"""Organisations, people and things that tests are about."""

from __future__ import annotations

import secrets
from typing import Any

from django.test import Client

from fleet import services as fleet_services
from fleet.models import Device, Fleet, Meter, Vehicle
from tenants import activity, services
from tenants.actors import Actor
from tenants.models import Membership, Organisation, Role, Scope, User

PASSWORD = "correct horse battery"
# Valid check digits, of no car that exists.
NORTH_AMERICAN_VIN = "1M8GDM9AXKP042788"
OTHER_NORTH_AMERICAN_VIN = "1HGCM82633A004352"
EUROPEAN_VIN = "WVWZZZ1JZXW000001"


def a_person(email: str | None = None, password: str | None = None, **fields: Any) -> User:
    """Without a password unless a test logs in by it: hashing one takes half a second."""
    email = email or f"{secrets.token_hex(4)}@example.org"
    return User.objects.create_user(email, password, **fields)


def an_organisation(name: str | None = None, *, owner: User | None = None) -> Organisation:
    slug = name.lower() if name else f"org-{secrets.token_hex(4)}"
    return services.create_organisation(name=name or slug, slug=slug, owner=owner or a_person())


def a_member(tenant: Organisation, role: str) -> User:
    person = a_person()
    Membership.objects.create(tenant=tenant, user=person, role=role)
    return person


def acting(tenant: Organisation) -> Actor:
    return Actor.command(tenant, "test")


def the_owner(tenant: Organisation) -> User:
    owner = Membership.objects.for_tenant(tenant).filter(role=Role.OWNER).order_by("pk").first()
    assert owner is not None
    return owner.user


def owner_of(tenant: Organisation) -> Actor:
    return Actor.member(tenant, the_owner(tenant), Role.OWNER)


def a_token(tenant: Organisation, *scopes: str, **options: Any) -> str:
    """The secret of a new token; without scopes it may do everything."""
    _, secret = services.issue_token(
        actor=acting(tenant), name="test", scopes=scopes or Scope.values, **options
    )
    return secret


class Browser(Client):
    """A client over HTTPS, as the settings of every real installation demand."""

    def generic(self, *args: Any, **options: Any) -> Any:
        return super().generic(*args, **{**options, "secure": True})

    def force_login(self, *args: Any, **options: Any) -> None:
        """As after a real log-in, the session was noted just now: counts of queries are those
        of a page, not of the first page in a minute."""
        super().force_login(*args, **options)
        activity.is_due(self.cookies["sessionid"].value)


def client_of(person: User, *, csrf: bool = False) -> Browser:
    client = Browser(enforce_csrf_checks=csrf)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def client_with(secret: str) -> Browser:
    return Browser(headers={"authorization": f"Bearer {secret}"})


def a_fleet(tenant: Organisation, reference: str = "F1", **fields: Any) -> Fleet:
    return fleet_services.create_fleet(
        actor=acting(tenant), reference=reference, name=fields.pop("name", reference), **fields
    )


def a_vehicle(
    tenant: Organisation, reference: str = "V1", *, fleet: Fleet | None = None, **fields: Any
) -> Vehicle:
    fleet = fleet or Fleet.objects.for_tenant(tenant).first() or a_fleet(tenant)
    return fleet_services.create_vehicle(
        actor=acting(tenant), reference=reference, name=reference, fleet=fleet, **fields
    )


def a_meter(
    tenant: Organisation, reference: str = "M1", *, fleet: Fleet | None = None, **fields: Any
) -> Meter:
    fleet = fleet or Fleet.objects.for_tenant(tenant).first() or a_fleet(tenant)
    return fleet_services.create_meter(
        actor=acting(tenant), reference=reference, name=reference, fleet=fleet, **fields
    )


def a_device(tenant: Organisation, reference: str = "D1", **fields: Any) -> tuple[Device, str]:
    """A device and its secret."""
    return fleet_services.provision_device(
        actor=acting(tenant), reference=reference, name=reference, **fields
    )
