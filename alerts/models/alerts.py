"""Alerts and every step of their life."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from alerts.models.rules import Rule, RuleVersion
from tenants.scoping import TenantOwned


class Severity(models.TextChoices):
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"
    CRITICAL = "critical", "Critical"


class AlertState(models.TextChoices):
    OPEN = "open", "Open"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    RESOLVED = "resolved", "Resolved"


class Alert(TenantOwned):
    """Something is the matter with one vehicle or meter, according to one rule.

    `started_at` is where the condition began, `opened_at` the time of the reading that proved
    it. Rule, subject and `episode_at` are its identity: the same readings make it once.
    """

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="alerts")
    rule_version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=1, help_text="v vehicle, m meter, p the platform")
    subject_id = models.BigIntegerField()
    subject_reference = models.CharField(max_length=64)
    subject_label = models.CharField(max_length=120)
    fleet = models.ForeignKey("fleet.Fleet", on_delete=models.PROTECT, null=True, related_name="+")
    title = models.CharField(max_length=300)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    state = models.CharField(max_length=12, choices=AlertState.choices, default=AlertState.OPEN)
    late = models.BooleanField(
        default=False, help_text="Found by late readings, not confirmed since: nobody was told."
    )
    started_at = models.DateTimeField()
    episode_at = models.DateTimeField(
        editable=False, help_text="Where the engine saw it begin, whatever was corrected since."
    )
    opened_at = models.DateTimeField()
    values = models.JSONField(default=dict, help_text="What the rule saw when it opened.")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=160, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=160, blank=True, help_text="Empty: by itself.")
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    snoozed_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "kind", "subject_id", "episode_at"], name="alert_episode_once"
            ),
            models.UniqueConstraint(
                fields=["rule", "kind", "subject_id"],
                condition=~Q(state="resolved"),
                name="alert_one_open_per_rule_and_subject",
            ),
            models.CheckConstraint(
                condition=Q(state="resolved", resolved_at__isnull=False)
                | (~Q(state="resolved") & Q(resolved_at__isnull=True)),
                name="alert_resolved_has_its_time",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-opened_at", "-id"]),
            models.Index(
                fields=["tenant", "severity"],
                condition=~Q(state="resolved"),
                name="alert_unresolved",
            ),
            models.Index(fields=["kind", "subject_id", "-opened_at"]),
            models.Index(
                fields=["tenant", "-resolved_at"],
                condition=Q(state="resolved"),
                name="alert_resolved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject_label}: {self.title}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.episode_at = self.episode_at or self.started_at
        super().save(*args, **kwargs)


class AlertTransition(TenantOwned):
    """One step: what happened, when, who did it or which reading caused it."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="transitions")
    change = models.CharField(max_length=16)
    at = models.DateTimeField(help_text="When it was recorded.")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    actor_label = models.CharField(max_length=160, blank=True, help_text="Empty: the engine.")
    reading_time = models.DateTimeField(null=True)
    reading_id = models.IntegerField(null=True)
    received_at = models.DateTimeField(null=True)
    late = models.BooleanField(default=False)
    values = models.JSONField(default=dict)
    note = models.TextField(blank=True)

    class Meta:
        constraints = [
            # The same reading makes the same step once, however often it is delivered.
            models.UniqueConstraint(
                fields=["alert", "change", "reading_time"],
                condition=Q(reading_time__isnull=False),
                name="alert_transition_once",
            )
        ]
        indexes = [models.Index(fields=["alert", "id"])]

    def __str__(self) -> str:
        return f"{self.change} by {self.actor_label or 'the engine'}"
