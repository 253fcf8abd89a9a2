"""Changes to organisations and people. Every one is audited in its own transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import available_timezones

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants import secrets, withdrawal
from tenants.actors import Actor
from tenants.audit import changes_between, record, record_audit
from tenants.conflicts import refusing
from tenants.errors import DomainError
from tenants.models import (
    ROLE_SCOPES,
    ApiToken,
    Membership,
    Organisation,
    Role,
    Scope,
    SupportAccess,
    User,
)

__all__ = [
    "add_member",
    "change_role",
    "create_organisation",
    "end_support_access",
    "grant_support_access",
    "issue_token",
    "record_audit",
    "remove_member",
    "revoke_token",
    "update_organisation",
]

LONGEST_SUPPORT_ACCESS: Final = timedelta(hours=8)


@transaction.atomic
def create_organisation(
    *, name: str, slug: str, owner: User, actor_label: str = "", **settings: Any
) -> Organisation:
    """A new organisation with its first owner; `settings`: time_zone, units, retention_days."""
    _check_time_zone(settings.get("time_zone", "UTC"))
    taken = DomainError("slug_taken", 409, _("Another organisation has this short name."))
    with refusing({"tenants_organisation_slug_key": taken}):
        tenant = Organisation.objects.create(name=name, slug=slug, **settings)
    Membership.objects.create(tenant=tenant, user=owner, role=Role.OWNER)
    record_audit(
        tenant=tenant,
        actor=owner,
        actor_label=actor_label or str(owner),
        action="organisation.created",
        target=f"organisation {slug}",
        changes={"owner": (None, str(owner))},
    )
    return tenant


@transaction.atomic
def update_organisation(*, actor: Actor, **fields: Any) -> Organisation:
    """Change name, time_zone, units or retention_days."""
    tenant = Organisation.objects.select_for_update().get(pk=actor.tenant.pk)
    if "time_zone" in fields:
        _check_time_zone(fields["time_zone"])
    changes = changes_between(tenant, fields)
    if changes:
        for field, (_, value) in changes.items():
            setattr(tenant, field, value)
        tenant.save(update_fields=list(changes))
        record(actor, "organisation.updated", f"organisation {tenant.slug}", changes=changes)
    return tenant


@transaction.atomic
def add_member(*, actor: Actor, email: str, role: str) -> Membership:
    """Make a person a member; one the platform has not seen gets an account without a
    password, which they set by "forgot password".
    """
    _grant_no_more_than_held(actor, role)
    address = User.objects.normalize_email(email).lower()
    user = User.objects.filter(email=address).first() or User.objects.create_user(address)
    already = DomainError("already_member", 409, _("This person is a member already."))
    with refusing({"membership_once": already}):
        membership = Membership.objects.create(tenant=actor.tenant, user=user, role=role)
    record(actor, "member.added", f"member {user}", changes={"role": (None, role)})
    return membership


@transaction.atomic
def change_role(*, actor: Actor, membership: Membership, role: str) -> Membership:
    """Give a member another role; the last owner stays one."""
    _grant_no_more_than_held(actor, role)
    membership = _locked(membership)
    if membership.role == role:
        return membership
    if membership.role == Role.OWNER:
        _keep_an_owner(membership)
    record(
        actor,
        "member.role_changed",
        f"member {membership.user}",
        changes={"role": (membership.role, role)},
    )
    membership.role = role
    membership.save(update_fields=["role"])
    withdrawal.announce("user", membership.user_id)
    return membership


@transaction.atomic
def remove_member(*, actor: Actor, membership: Membership) -> None:
    """End a membership; the last owner's cannot be ended.

    The person's tokens stay: they belong to the organisation, and are revoked there.
    """
    membership = _locked(membership)
    if membership.role == Role.OWNER:
        _keep_an_owner(membership)
    record(
        actor,
        "member.removed",
        f"member {membership.user}",
        changes={"role": (membership.role, None)},
    )
    membership.delete()
    withdrawal.announce("user", membership.user_id)


def _locked(membership: Membership) -> Membership:
    # Locking the organisation makes "is there another owner?" true until the commit.
    Organisation.objects.select_for_update().get(pk=membership.tenant_id)
    current = (
        Membership.objects.for_tenant(membership.tenant_id)
        .select_related("user")
        .filter(pk=membership.pk)
        .first()
    )
    if current is None:
        raise DomainError("not_found", 404, _("This person is not a member any more."))
    return current


def _grant_no_more_than_held(actor: Actor, role: str) -> None:
    if not ROLE_SCOPES[role] <= actor.scopes:
        raise DomainError("role_exceeded", 403, _("That role may do more than you may yourself."))


def _keep_an_owner(membership: Membership) -> None:
    others = Membership.objects.for_tenant(membership.tenant_id).filter(
        role=Role.OWNER, user__is_active=True
    )
    if not others.exclude(pk=membership.pk).exists():
        raise DomainError("last_owner", 409, _("An organisation keeps at least one owner."))


@transaction.atomic
def issue_token(
    *, actor: Actor, name: str, scopes: Iterable[str], expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A new API token and its secret, which nobody can show again."""
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in Scope.values]
    if not wanted or unknown:
        raise DomainError("unknown_scope", 422, _("Name at least one scope, and only known ones."))
    excess = sorted(set(wanted) - actor.scopes)
    if excess:
        raise DomainError(
            "scope_exceeded",
            403,
            _("You do not hold %(scopes)s yourself.") % {"scopes": ", ".join(excess)},
            scopes=excess,
        )
    if expires_at is not None and expires_at <= timezone.now():
        raise DomainError("expiry_past", 422, _("The token would have expired already."))
    secret = secrets.new_secret(secrets.API_TOKEN)
    token = ApiToken.objects.create(
        tenant=actor.tenant,
        name=name,
        prefix=secret.prefix,
        digest=secret.digest,
        scopes=wanted,
        created_by=actor.user,
        expires_at=expires_at,
    )
    record(
        actor,
        "token.issued",
        f"token {token.prefix}",
        changes={"scopes": (None, wanted), "expires_at": (None, expires_at)},
    )
    return token, secret.plain


@transaction.atomic
def revoke_token(*, actor: Actor, token: ApiToken) -> ApiToken:
    """End a token at once; ending it twice is no error."""
    token = ApiToken.objects.for_tenant(actor.tenant).select_for_update().get(pk=token.pk)
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        record(actor, "token.revoked", f"token {token.prefix}")
        withdrawal.announce("token", token.pk)
    return token


@transaction.atomic
def grant_support_access(
    *,
    tenant: Organisation,
    staff: User,
    reason: str,
    duration: timedelta,
    address: str | None = None,
) -> SupportAccess:
    """Let a member of staff look into an organisation for up to eight hours.

    The customer sees it in their audit trail, with its reason.
    """
    if not (staff.is_staff and staff.is_active):
        raise DomainError("not_staff", 403, _("Only staff can be given support access."))
    if not reason.strip():
        raise DomainError("reason_missing", 422, _("Say why."))
    if not timedelta(0) < duration <= LONGEST_SUPPORT_ACCESS:
        raise DomainError("duration_invalid", 422, _("Support access lasts up to eight hours."))
    access = SupportAccess.objects.create(
        tenant=tenant, staff=staff, reason=reason, expires_at=timezone.now() + duration
    )
    record_audit(
        tenant=tenant,
        actor=staff,
        actor_label=f"{staff} (support)",
        action="support.access_granted",
        target=f"organisation {tenant.slug}",
        changes={"expires_at": (None, access.expires_at)},
        reason=reason,
        address=address,
    )
    return access


@transaction.atomic
def end_support_access(
    *, access: SupportAccess, by: User, address: str | None = None
) -> SupportAccess:
    """End a support access before its time; ending it twice is no error."""
    access = (
        SupportAccess.unscoped.select_for_update(of=("self",))
        .select_related("tenant", "staff")
        .get(pk=access.pk)
    )
    if access.active_at(timezone.now()):
        access.ended_at = timezone.now()
        access.save(update_fields=["ended_at"])
        record_audit(
            tenant=access.tenant,
            actor=by,
            actor_label=f"{by} (support)",
            action="support.access_ended",
            target=f"organisation {access.tenant.slug}",
            address=address,
        )
        withdrawal.announce("user", access.staff_id)
    return access


def _check_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise DomainError("unknown_time_zone", 422, _("No such time zone in the IANA database."))
