"""Who is told, by which way, and what became of it."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from alerts.models.alerts import Alert, AlertTransition
from tenants.collation import NATURAL
from tenants.scoping import TenantOwned


class ChannelKind(models.TextChoices):
    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Webhook"
    APPRISE = "apprise", "SMS or chat"


class Channel(TenantOwned):
    """A way to reach a person or an organisation, with the breaker of its endpoint.

    What is secret (signing secrets, the URL of a chat service) is ciphertext.
    """

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, db_collation=NATURAL)
    kind = models.CharField(max_length=8, choices=ChannelKind.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose contact this is; empty: the organisation's.",
    )
    address = models.CharField(max_length=500, help_text="E-mail address or URL, without secrets.")
    sealed = models.BinaryField(null=True, blank=True, editable=False)
    is_default = models.BooleanField(default=False, help_text="Told about rules that name nobody.")
    quiet_hours = models.JSONField(
        default=list, blank=True, help_text="Weekly periods; all but critical alerts wait."
    )
    enabled = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    paused_until = models.DateTimeField(
        null=True, blank=True, help_text="The endpoint failed too often; it is tried again then."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "name"])]

    def __str__(self) -> str:
        return self.name


class DeliveryEvent(models.TextChoices):
    OPENED = "alert.opened", "Opened"
    RESOLVED = "alert.resolved", "Resolved"
    DIGEST = "alert.digest", "Digest"
    TEST = "test", "Test message"


class DeliveryStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    DEAD = "dead", "Given up"
    CANCELLED = "cancelled", "Not needed any more"
    COLLECTED = "collected", "Waiting for the digest"


class Delivery(TenantOwned):
    """One message to one channel. `key` goes with every attempt, so that the receiver can
    tell a repetition from a second message."""

    key = models.UUIDField(default=uuid4, unique=True, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="deliveries")
    alert = models.ForeignKey(
        Alert, on_delete=models.CASCADE, null=True, blank=True, related_name="deliveries"
    )
    transition = models.ForeignKey(
        AlertTransition, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    event = models.CharField(max_length=16, choices=DeliveryEvent.choices)
    step = models.PositiveSmallIntegerField(default=0, help_text="Of the escalation.")
    status = models.CharField(
        max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.QUEUED
    )
    payload = models.JSONField(help_text="What is said, as it was when it happened.")
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(
        null=True, blank=True, help_text="A worker has it; after that it may be taken over."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "channel", "event", "step"], name="delivery_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(status__in=["queued", "sending"]),
                name="delivery_due",
            ),
            models.Index(fields=["tenant", "status", "-created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.channel_id}"


class DeliveryAttempt(TenantOwned):
    """The log: what was sent, what was answered, how long it took."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    succeeded = models.BooleanField()
    request = models.TextField(blank=True)
    response_status = models.PositiveSmallIntegerField(null=True)
    response = models.TextField(blank=True, help_text="Cut at 2,000 characters.")
    failure = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["delivery", "id"])]

    def __str__(self) -> str:
        return f"attempt at {self.at:%H:%M:%S}"
