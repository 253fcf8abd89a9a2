"""Organisations, the people in them, their API tokens, and what was done by whom."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from tenants import withdrawal
from tenants.scoping import TenantManager, TenantOwned


class UserManager(BaseUserManager["User"]):
    """Creates people, who are known by their e-mail address."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)


class Units(models.TextChoices):
    METRIC = "metric", _("Kilometres, °C")
    IMPERIAL = "imperial", _("Miles, °F")


class Theme(models.TextChoices):
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


LETS_IN = frozenset({"password", "is_active", "is_staff"})
"""Fields of a person that open sockets depend on."""


class User(AbstractUser):
    """A person. Membership, not this row, says what they may do in an organisation."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail", unique=True)

    # How they like values shown; empty: as their organisation does.
    units = models.CharField(max_length=8, choices=Units.choices, blank=True, default="")
    time_zone = models.CharField(max_length=64, blank=True, default="")
    language = models.CharField(max_length=16, blank=True, default="")
    theme = models.CharField(max_length=5, choices=Theme.choices, blank=True, default="")

    # When they were here, and when they had left before they came again: see activity.py.
    seen_at = models.DateTimeField(null=True, editable=False)
    left_at = models.DateTimeField(null=True, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()  # type: ignore[assignment,misc]

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **options: Any) -> None:
        """Whatever door a new password or a closed account comes through, sockets hear of it."""
        known = self.pk is not None
        super().save(*args, **options)
        saved = options.get("update_fields")
        if known and (saved is None or LETS_IN & set(saved)):
            withdrawal.announce("user", self.pk)


class Organisation(models.Model):
    """A tenant."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    units = models.CharField(max_length=8, choices=Units.choices, default=Units.METRIC)
    retention_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Days of history to keep; empty: the platform's period."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(retention_days__isnull=True) | Q(retention_days__gte=1),
                name="organisation_retention_at_least_a_day",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    MANAGER = "manager", _("Manager")
    DISPATCHER = "dispatcher", _("Dispatcher")
    VIEWER = "viewer", _("Viewer")


class Membership(TenantOwned):
    """A person's role in an organisation."""

    public_id = models.UUIDField(db_default=RandomUUID(), unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"


class Scope(models.TextChoices):
    """What an API token may do. A person's role grants the same scopes."""

    TELEMETRY_READ = "telemetry:read", _("Read telemetry and analytics")
    TELEMETRY_WRITE = "telemetry:write", _("Send telemetry")
    FLEET_READ = "fleet:read", _("Read fleets, vehicles, meters and devices")
    FLEET_WRITE = "fleet:write", _("Change fleets, vehicles, meters and devices")
    VIN_REVEAL = "vin:reveal", _("Reveal VINs")
    ALERTS_ACT = "alerts:act", _("Acknowledge, assign, snooze and resolve alerts")
    ALERTS_WRITE = "alerts:write", _("Change alert rules, geofences and who is told")
    ORG_ADMIN = "org:admin", _("Members, tokens, settings and the audit trail")


ROLE_SCOPES: dict[str, frozenset[str]] = {
    Role.VIEWER: frozenset({Scope.TELEMETRY_READ, Scope.FLEET_READ}),
    Role.DISPATCHER: frozenset({Scope.TELEMETRY_READ, Scope.FLEET_READ, Scope.ALERTS_ACT}),
    Role.MANAGER: frozenset(
        {
            Scope.TELEMETRY_READ,
            Scope.TELEMETRY_WRITE,
            Scope.FLEET_READ,
            Scope.FLEET_WRITE,
            Scope.VIN_REVEAL,
            Scope.ALERTS_ACT,
            Scope.ALERTS_WRITE,
        }
    ),
    Role.OWNER: frozenset(Scope.values),
}


class ApiToken(TenantOwned):
    """A credential of an integration. The secret is shown once and kept only as a digest."""

    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope.choices))
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-created_at"])]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def usable_at(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class AuditEntry(models.Model):
    """One sensitive operation. Rows can be added and read; a trigger forbids the rest."""

    tenant = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    actor_label = models.CharField(max_length=160, help_text="Who, as it was known at the time.")
    action = models.CharField(max_length=60, help_text="noun.verb, e.g. device.credential_rotated")
    target = models.CharField(max_length=160, blank=True, help_text="e.g. vehicle V456")
    changes = models.JSONField(default=dict, help_text='{"field": [before, after]}')
    reason = models.CharField(max_length=400, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)

    unscoped = models.Manager()
    objects = TenantManager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["tenant", "-at"]),
            models.Index(fields=["action", "-at"]),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor_label} {self.action} {self.target}"


class SupportAccess(models.Model):
    """A member of staff's time-boxed, audited leave to act inside one organisation."""

    tenant = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    staff = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=400)
    granted_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    unscoped = models.Manager()
    objects = TenantManager()

    class Meta:
        verbose_name_plural = "support accesses"
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("granted_at")), name="support_access_ends_after_start"
            )
        ]

    def __str__(self) -> str:
        return f"{self.staff} in {self.tenant}"

    def active_at(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.expires_at


class Invitation(TenantOwned):
    """Leave to join, sent to an e-mail address. The link is signed, not stored."""

    public_id = models.UUIDField(db_default=RandomUUID(), unique=True, editable=False)
    email = models.EmailField("e-mail")
    role = models.CharField(max_length=12, choices=Role.choices)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="invitation_role_known"),
            models.UniqueConstraint(
                "tenant",
                Lower("email"),
                condition=Q(accepted_at__isnull=True, withdrawn_at__isnull=True),
                name="invitation_one_open_per_address",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} · {self.get_role_display()}"

    def is_open_at(self, now: datetime) -> bool:
        """Neither accepted, withdrawn nor expired."""
        return self.accepted_at is None and self.withdrawn_at is None and now < self.expires_at
