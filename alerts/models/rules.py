"""Rules, their versions, and what their evaluation has to remember."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from alerts.engine.spec import RuleSpec, decode_spec
from telemetry.streams import partition_of
from tenants.collation import NATURAL
from tenants.scoping import TenantOwned


class Rule(TenantOwned):
    """A rule as an organisation knows it; what it says is in its versions."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, db_collation=NATURAL)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(
        max_length=300, blank=True, help_text="Why it was disabled by itself; empty: by a person."
    )
    current = models.ForeignKey(
        "RuleVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"],
                condition=Q(archived_at__isnull=True),
                name="rule_name_once_per_tenant",
            )
        ]

    def __str__(self) -> str:
        return self.name


class RuleVersion(TenantOwned):
    """What a rule said from one change to the next. Never changed: alerts refer to it."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    definition = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=160)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="rule_version_number_once")
        ]

    def __str__(self) -> str:
        return f"version {self.number}"

    @property
    def spec(self) -> RuleSpec:
        return decode_spec(self.definition)


class SubjectMemory(models.Model):
    """The engine's state of one vehicle ("v"), meter ("m") or of the platform ("p")."""

    pk = models.CompositePrimaryKey("kind", "subject_id")
    kind = models.CharField(max_length=1)
    subject_id = models.BigIntegerField()
    packed = models.BinaryField()

    class Meta:
        verbose_name_plural = "subject memories"

    def __str__(self) -> str:
        return f"{self.kind}{self.subject_id}"


class LateSpan(models.Model):
    """Readings of a vehicle ("v") or meter ("m") that came late and out of their order: what
    the record says of that time is to be corrected from history (`alerts.correction`)."""

    pk = models.CompositePrimaryKey("kind", "subject_id")
    kind = models.CharField(max_length=1)
    subject_id = models.BigIntegerField()
    since = models.DateTimeField()
    until = models.DateTimeField()
    noted_at = models.DateTimeField(help_text="When the first of them was noted.")
    due_at = models.DateTimeField(db_index=True)
    additions = models.PositiveIntegerField(
        default=0, help_text="Tells a correction that more has come while it was at work."
    )
    going_on = models.BinaryField(
        null=True,
        editable=False,
        help_text="Episodes that history shows to go on: for the evaluation to take over.",
    )

    def __str__(self) -> str:
        return f"{self.kind}{self.subject_id} {self.since:%Y-%m-%d %H:%M} to {self.until:%H:%M}"

    @property
    def partition(self) -> int:
        """Of the logs, to which its readings belong."""
        return partition_of("v" if self.kind == "v" else "m", self.subject_id)


class EvaluationOwner(models.Model):
    """Which process evaluated a partition last: only that one may trust what it remembers."""

    partition = models.PositiveSmallIntegerField(primary_key=True)
    process = models.UUIDField()

    def __str__(self) -> str:
        return f"partition {self.partition}"


class SilenceWatch(TenantOwned):
    """When a subject will have been silent for too long, unless it speaks before."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="watches")
    kind = models.CharField(max_length=1)
    subject_id = models.BigIntegerField()
    heard_at = models.DateTimeField(help_text="Last telemetry, when the due time was set.")
    due_at = models.DateTimeField()
    is_open = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "silence watches"
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "kind", "subject_id"], name="silence_watched_once"
            )
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(is_open=False), name="silence_due"),
            models.Index(fields=["kind"], condition=Q(is_open=True), name="silence_open"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}{self.subject_id} due {self.due_at:%H:%M:%S}"


class DryRun(TenantOwned):
    """A rule tried on history before it is saved: how far it is, and what it found."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    definition = models.JSONField()
    since = models.DateTimeField()
    until = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    subjects = models.PositiveIntegerField(default=0)
    subjects_done = models.PositiveIntegerField(default=0)
    readings = models.BigIntegerField(default=0)
    count = models.PositiveIntegerField(default=0)
    found = models.JSONField(default=list, help_text="The first alerts found, oldest first.")
    finished_at = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["created_at"])]

    def __str__(self) -> str:
        return f"{self.count} alerts in {self.subjects_done} of {self.subjects}"
