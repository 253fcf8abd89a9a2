"""Channels: made, changed, tested; their secrets sealed, and rotated."""

from __future__ import annotations

import base64
import os
from datetime import timedelta
from typing import Any

import msgspec
from django.db import transaction
from django.utils import timezone

from alerts.announce import nudge_delivery
from alerts.engine.spec import Period
from alerts.models import Channel, Delivery, DeliveryEvent, DeliveryStatus
from alerts.notifiers import NOTIFIERS
from alerts.notifiers.notifier import InvalidAddress
from tenants import crypto
from tenants.actors import Actor
from tenants.audit import record
from tenants.errors import DomainError
from tenants.models import Membership, Scope, User

PURPOSE = "alerts.channel"
OVERLAP = timedelta(hours=24)
"""After a rotation both secrets sign, so that the receiver may change over."""


OWN_KINDS = ("email", "apprise")
"""Ways to reach a person, which everybody may add for themselves."""
MOST_OWN = 10


class Sealed(msgspec.Struct):
    """What a channel keeps encrypted. `until`: seconds since 1970 up to which the old secret
    signs as well."""

    secret: str
    old: str = ""
    until: int = 0


def new_signing_secret() -> str:
    """As Standard Webhooks wants it: 24 to 64 random bytes, base64, prefixed."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


def secrets_of(channel: Channel) -> tuple[str, ...]:
    """The secrets in force, the current one first."""
    sealed = _unsealed(channel)
    if sealed is None:
        return ()
    both = sealed.old and sealed.until > timezone.now().timestamp()
    return (sealed.secret, sealed.old) if both else (sealed.secret,)


def _unsealed(channel: Channel) -> Sealed | None:
    if not channel.sealed:
        return None
    plain = crypto.decrypt(channel.sealed, tenant_id=channel.tenant_id, purpose=PURPOSE)
    return msgspec.json.decode(plain, type=Sealed)


def _seal(channel: Channel, sealed: Sealed) -> None:
    plain = msgspec.json.encode(sealed).decode()
    channel.sealed = crypto.encrypt(plain, tenant_id=channel.tenant_id, purpose=PURPOSE)


def may_change(actor: Actor, channel: Channel) -> bool:
    """Everybody their own contact; the organisation's, and other people's, who may say whom
    alerts are told to."""
    mine = actor.user is not None and channel.user_id == actor.user.pk and not actor.supports
    return mine or Scope.ALERTS_WRITE in actor.scopes


def may_add_own(actor: Actor) -> bool:
    return actor.user is not None and not actor.supports


def require_change(actor: Actor, channel: Channel) -> None:
    """Raises DomainError `scope_missing`."""
    if not may_change(actor, channel):
        actor.require(Scope.ALERTS_WRITE)


def _require_addition(actor: Actor, kind: str, user: User | None) -> None:
    """One's own contacts need nobody's leave; they are for a person to read, and few."""
    if Scope.ALERTS_WRITE in actor.scopes:
        return
    if user is None or user != actor.user or not may_add_own(actor):
        actor.require(Scope.ALERTS_WRITE)
    if kind not in OWN_KINDS:
        raise DomainError("invalid_channel", 422, "A contact is an e-mail or a message.")
    require_room(actor, user)


def require_room(actor: Actor, user: User | None) -> None:
    """Without leave to say who is told, a person has few contacts. Raises DomainError."""
    if Scope.ALERTS_WRITE in actor.scopes:
        return
    own = Channel.objects.for_tenant(actor.tenant).filter(user=user, archived_at=None)
    if own.count() >= MOST_OWN:
        raise DomainError("too_many_channels", 409, f"You have {MOST_OWN} contacts already.")


def _checked(kind: str, address: str, secret: str) -> tuple[str, str]:
    notifier = NOTIFIERS.get(kind)
    if notifier is None:
        raise DomainError("invalid_channel", 422, f"There is no kind of channel named {kind!r}.")
    try:
        return notifier.check(address, secret)
    except InvalidAddress as error:
        raise DomainError("invalid_channel", 422, str(error), field="address") from error


def _checked_quiet_hours(quiet_hours: Any) -> Any:
    try:
        periods = msgspec.convert(quiet_hours, tuple[Period, ...])
    except msgspec.ValidationError as error:
        raise DomainError("invalid_channel", 422, str(error), field="quiet_hours") from error
    return msgspec.to_builtins(periods)


@transaction.atomic
def create_channel(
    *,
    actor: Actor,
    name: str,
    kind: str,
    address: str,
    user: User | None = None,
    is_default: bool = False,
    quiet_hours: Any = (),
) -> tuple[Channel, str]:
    """A new channel, and the signing secret to show this once ("" where there is none)."""
    _require_addition(actor, kind, user)
    shown, secret = _checked(kind, address, "")
    if kind == "webhook":
        secret = new_signing_secret()
    if user is not None and not Membership.objects.for_tenant(actor.tenant).filter(user=user):
        raise DomainError("not_a_member", 422, "This person is not a member.")
    channel = Channel(
        tenant=actor.tenant,
        name=name,
        kind=kind,
        address=shown,
        user=user,
        is_default=is_default,
        quiet_hours=_checked_quiet_hours(quiet_hours),
    )
    if secret:
        _seal(channel, Sealed(secret))
    channel.save()
    record(actor, "channel.created", f"channel {name}", changes={"kind": (None, kind)})
    return channel, secret if kind == "webhook" else ""


@transaction.atomic
def update_channel(*, actor: Actor, channel: Channel, **fields: Any) -> Channel:
    """Change name, enabled, is_default, quiet_hours or address. A changed address, or
    switching on, closes the breaker."""
    require_change(actor, channel)
    if "quiet_hours" in fields:
        fields["quiet_hours"] = _checked_quiet_hours(fields["quiet_hours"])
    if "address" in fields:
        shown, secret = _checked(channel.kind, fields["address"], "")
        fields["address"] = shown
        if secret:
            _seal(channel, Sealed(secret))
    changes = {
        name: (getattr(channel, name), value)
        for name, value in fields.items()
        if getattr(channel, name) != value
    }
    for name, value in fields.items():
        setattr(channel, name, value)
    if "address" in changes or "enabled" in changes:
        channel.failures, channel.paused_until = 0, None
    channel.save()
    if changes:
        record(actor, "channel.updated", f"channel {channel.name}", changes=changes)
    return channel


@transaction.atomic
def rotate_secret(*, actor: Actor, channel: Channel) -> str:
    """A new signing secret, shown this once; the old one signs beside it for a day."""
    require_change(actor, channel)
    channel = Channel.objects.for_tenant(actor.tenant).select_for_update().get(pk=channel.pk)
    before = _unsealed(channel)
    if channel.kind != "webhook" or before is None:
        raise DomainError("no_secret", 409, "Only a webhook has a signing secret.")
    secret = new_signing_secret()
    until = int((timezone.now() + OVERLAP).timestamp())
    _seal(channel, Sealed(secret, old=before.secret, until=until))
    channel.save(update_fields=["sealed"])
    record(actor, "channel.secret_rotated", f"channel {channel.name}")
    return secret


@transaction.atomic
def archive_channel(*, actor: Actor, channel: Channel) -> None:
    """Take it away: what is still to be sent there is cancelled."""
    require_change(actor, channel)
    channel.archived_at = timezone.now()
    channel.save(update_fields=["archived_at"])
    Delivery.unscoped.filter(
        channel=channel, status__in=[DeliveryStatus.QUEUED, DeliveryStatus.COLLECTED]
    ).update(status=DeliveryStatus.CANCELLED)
    record(actor, "channel.archived", f"channel {channel.name}")


@transaction.atomic
def send_test(*, actor: Actor, channel: Channel) -> Delivery:
    """Queue a test message; what became of it is in the delivery log."""
    require_change(actor, channel)
    now = timezone.now()
    stamp = now.isoformat().replace("+00:00", "Z")
    delivery = Delivery.objects.create(
        tenant=actor.tenant,
        channel=channel,
        event=DeliveryEvent.TEST,
        due_at=now,
        payload={
            "type": "test",
            "timestamp": stamp,
            "data": {
                "id": None,
                "title": "This is a test. Nothing is the matter.",
                "severity": "low",
                "subject": "test",
                "subject_name": channel.name,
                "started_at": stamp,
                "values": {},
            },
        },
    )
    record(actor, "channel.tested", f"channel {channel.name}")
    transaction.on_commit(nudge_delivery, robust=True)
    return delivery


@transaction.atomic
def resend(*, actor: Actor, delivery: Delivery) -> Delivery:
    """Try once more what was given up. The key stays: the receiver can tell it is the same."""
    now = timezone.now()
    changed = (
        Delivery.objects.for_tenant(actor.tenant)
        .filter(pk=delivery.pk, status__in=[DeliveryStatus.DEAD, DeliveryStatus.SENT])
        .update(status=DeliveryStatus.QUEUED, due_at=now, attempts=0, claimed_until=None)
    )
    if not changed:
        raise DomainError("not_resendable", 409, "It is still on its way, or was cancelled.")
    record(actor, "delivery.resent", f"delivery {delivery.key}")
    transaction.on_commit(nudge_delivery, robust=True)
    delivery.refresh_from_db()
    return delivery
