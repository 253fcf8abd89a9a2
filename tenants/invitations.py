"""Invitations by e-mail: a signed link that expires, for one address, used once.

The link carries the invitation's public id and when it was last sent, signed with the
installation's key. Sending again, withdrawing and accepting each end the earlier links.
"""

from __future__ import annotations

from datetime import timedelta
from smtplib import SMTPException
from typing import Final

import structlog
from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.actors import Actor
from tenants.audit import record, record_audit
from tenants.conflicts import refusing
from tenants.errors import DomainError
from tenants.models import ROLE_SCOPES, Invitation, Membership, Scope, User

logger = structlog.get_logger(__name__)

SALT: Final = "tenants.invitation"


@transaction.atomic
def invite(*, actor: Actor, email: str, role: str) -> Invitation:
    """Invite an address. Refused where it belongs to a member or was invited already."""
    actor.require(Scope.ORG_ADMIN)
    if role not in ROLE_SCOPES or not ROLE_SCOPES[role] <= actor.scopes:
        raise DomainError("role_exceeded", 403, _("That role may do more than you may yourself."))
    address = User.objects.normalize_email(email).lower()
    members = Membership.objects.for_tenant(actor.tenant)
    if members.filter(user__email=address).exists():
        refusal = _("This person is a member already.")
        raise DomainError("already_member", 409, refusal, field="email")
    _withdraw_expired(actor, address)
    again = DomainError(
        "already_invited", 409, _("This address was invited already."), field="email"
    )
    now = timezone.now()
    with refusing({"invitation_one_open_per_address": again}):
        invitation = Invitation.objects.create(
            tenant=actor.tenant,
            email=address,
            role=role,
            invited_by=actor.user,
            sent_at=now,
            expires_at=now + timedelta(days=settings.INVITATION_DAYS),
        )
    record(actor, "member.invited", f"member {address}", changes={"role": (None, role)})
    return invitation


@transaction.atomic
def renew(*, actor: Actor, invitation: Invitation) -> Invitation:
    """A new link with its full time; earlier links end."""
    actor.require(Scope.ORG_ADMIN)
    invitation = _locked(invitation, actor)
    invitation.sent_at = timezone.now()
    invitation.expires_at = invitation.sent_at + timedelta(days=settings.INVITATION_DAYS)
    invitation.save(update_fields=["sent_at", "expires_at"])
    record(actor, "member.invitation_renewed", f"member {invitation.email}")
    return invitation


@transaction.atomic
def withdraw(*, actor: Actor, invitation: Invitation) -> None:
    """End an open invitation; its link stops working at once."""
    actor.require(Scope.ORG_ADMIN)
    invitation = _locked(invitation, actor)
    invitation.withdrawn_at = timezone.now()
    invitation.save(update_fields=["withdrawn_at"])
    record(actor, "member.invitation_withdrawn", f"member {invitation.email}")


def key_of(invitation: Invitation) -> str:
    """What the link carries."""
    sent = int(invitation.sent_at.timestamp() * 1000)
    return signing.dumps([str(invitation.public_id), sent], salt=SALT)


def invitation_for(key: str) -> Invitation | None:
    """The open invitation of a link; None where it is forged, ended, or expired."""
    try:
        public_id, sent = signing.loads(
            key, salt=SALT, max_age=timedelta(days=settings.INVITATION_DAYS)
        )
    except (signing.BadSignature, ValueError):
        return None
    invitation = (
        Invitation.unscoped.select_related("tenant", "invited_by")
        .filter(public_id=public_id, tenant__archived_at__isnull=True)
        .first()
    )
    if invitation is None or not invitation.is_open_at(timezone.now()):
        return None
    # Only the link sent last: an earlier one may lie in a mailbox that changed hands.
    return invitation if int(invitation.sent_at.timestamp() * 1000) == sent else None


@transaction.atomic
def accept(*, invitation: Invitation, user: User, address: str | None = None) -> Membership:
    """Make the person a member. They must be the one who was invited."""
    invitation = Invitation.unscoped.select_for_update(of=("self",)).get(pk=invitation.pk)
    if not invitation.is_open_at(timezone.now()):
        raise DomainError("invitation_ended", 410, _("This invitation is not open any more."))
    if user.email.lower() != invitation.email.lower():
        raise DomainError("other_address", 403, _("This invitation is for another address."))
    already = DomainError("already_member", 409, _("You are a member already."))
    with refusing({"membership_once": already}):
        membership = Membership.objects.create(
            tenant_id=invitation.tenant_id, user=user, role=invitation.role
        )
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    record_audit(
        tenant=invitation.tenant,
        actor=user,
        actor_label=str(user),
        action="member.joined",
        target=f"member {user}",
        changes={"role": (None, invitation.role)},
        address=address,
    )
    return membership


@transaction.atomic
def join(*, invitation: Invitation, name: str, password: str, address: str | None = None) -> User:
    """Make an account for an invited address that has none, and a member of it.

    The link proves the address. An account that exists is never given a password here.
    """
    user = User.objects.filter(email=invitation.email.lower()).first()
    if user is not None and (user.has_usable_password() or not user.is_active):
        raise DomainError("has_account", 409, _("Log in to accept this invitation."))
    if user is None:
        user = User.objects.create_user(invitation.email)
    user.first_name = name[:150]
    user.set_password(password)
    user.save(update_fields=["first_name", "password"])
    accept(invitation=invitation, user=user, address=address)
    return user


def send(invitation: Invitation, *, link: str) -> bool:
    """Mail the link; False where the mail server did not take it."""
    context = {"invitation": invitation, "link": link}
    message = EmailMessage(
        subject=_("Join %(name)s on Outrider") % {"name": " ".join(invitation.tenant.name.split())},
        body=render_to_string("settings/invitation.txt", context),
        to=[invitation.email],
    )
    try:
        message.send()
    except (SMTPException, OSError):
        logger.warning("invitation_not_sent", tenant_id=invitation.tenant_id, exc_info=True)
        return False
    return True


def _locked(invitation: Invitation, actor: Actor) -> Invitation:
    current = (
        Invitation.objects.for_tenant(actor.tenant)
        .select_for_update(of=("self",))
        .select_related("tenant", "invited_by")
        .filter(pk=invitation.pk, accepted_at__isnull=True, withdrawn_at__isnull=True)
        .first()
    )
    if current is None:
        raise DomainError("not_found", 404, _("This invitation is not open any more."))
    return current


def _withdraw_expired(actor: Actor, address: str) -> None:
    """An expired invitation must not be in the way of a new one."""
    Invitation.objects.for_tenant(actor.tenant).filter(
        email=address,
        accepted_at__isnull=True,
        withdrawn_at__isnull=True,
        expires_at__lte=timezone.now(),
    ).update(withdrawn_at=timezone.now())
