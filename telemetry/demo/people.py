"""Who works at the demonstration tenant, and how they log in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from django.conf import settings
from django.db import transaction

from tenants import services
from tenants.actors import Actor
from tenants.models import Membership, Organisation, Role, User

SLUG = "atlas"
NAME = "Atlas Deliveries"
TIME_ZONE = "Africa/Casablanca"
SUPPORT = "support@outrider.example"
PASSWORD_FILE = settings.DEMO_SECRETS_DIR / "demo_password"


def address_of(role: Role) -> str:
    return f"{role.value}@atlas.example"


def logins() -> Iterator[tuple[str, str]]:
    """E-mail address and what the person may do."""
    for role in Role:
        yield address_of(role), str(role.label)
    yield SUPPORT, "Support staff: /admin/"


def demo_password() -> str:
    """One for all, made once for this checkout and readable by its owner only."""
    if not PASSWORD_FILE.exists():
        PASSWORD_FILE.parent.mkdir(parents=True, exist_ok=True)
        PASSWORD_FILE.touch(mode=0o600)
        PASSWORD_FILE.write_text(f"atlas-{secrets.token_hex(5)}")
    return PASSWORD_FILE.read_text().strip()


@transaction.atomic
def ensure_organisation(password: str) -> Organisation:
    """The tenant with a member of each role, and a member of staff who is in none."""
    addresses = [address for address, _ in logins()]
    people = {person.email: person for person in User.objects.filter(email__in=addresses)}
    owner = people.get(address_of(Role.OWNER))
    # Hashing is slow on purpose: one check tells for all, who were made together.
    if owner is None or not owner.check_password(password):
        people = {address: _person(address, password) for address in addresses}
    tenant = Organisation.objects.filter(slug=SLUG).first()
    if tenant is None:
        tenant = services.create_organisation(
            name=NAME, slug=SLUG, owner=people[address_of(Role.OWNER)], time_zone=TIME_ZONE
        )
    actor = Actor.command(tenant, "manage.py create_demo")
    members = set(Membership.objects.for_tenant(tenant).values_list("user__email", flat=True))
    for role in Role:
        if address_of(role) not in members:
            services.add_member(actor=actor, email=address_of(role), role=role)
    return tenant


def _person(email: str, password: str) -> User:
    person = User.objects.filter(email=email).first() or User(email=email)
    person.is_staff = person.is_superuser = email == SUPPORT
    person.set_password(password)
    person.save()
    return person
