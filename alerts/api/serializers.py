"""How rules, alerts, geofences and channels look from outside."""

from __future__ import annotations

from typing import Any, cast

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from alerts.api.params import params_schema
from alerts.definitions import References, outward
from alerts.engine.fences import InvalidShape, decode_shape
from alerts.kinds import CHOICES
from alerts.models import (
    Alert,
    AlertTransition,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryAttempt,
    DryRun,
    Rule,
    RuleVersion,
    Severity,
)
from alerts.saying import condition_in_words
from fleet.geofences import Geofence
from fleet.models import reference_validator as valid_reference
from tenants.api.fields import Strict

SUBJECTS = {"v": "vehicle", "m": "meter", "p": "platform"}


class PeriodSerializer(Strict, serializers.Serializer[Any]):
    """Monday is 0; minutes since midnight in the organisation's time zone, half open."""

    days = serializers.ListField(child=serializers.IntegerField(min_value=0, max_value=6))
    start = serializers.IntegerField(min_value=0, max_value=1440, default=0)
    end = serializers.IntegerField(min_value=0, max_value=1440, default=1440)


class StepSerializer(Strict, serializers.Serializer[Any]):
    channels = serializers.ListField(child=serializers.CharField(max_length=40), max_length=50)
    after_minutes = serializers.IntegerField(min_value=0, max_value=10_080, default=0)


class RuleScopeSerializer(Strict, serializers.Serializer[Any]):
    """Named in any of these ways; all empty: the whole organisation."""

    fleets = serializers.ListField(child=serializers.CharField(max_length=64), required=False)
    vehicles = serializers.ListField(child=serializers.CharField(max_length=64), required=False)
    meters = serializers.ListField(child=serializers.CharField(max_length=64), required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), required=False)


@extend_schema_field(params_schema())
class ParamsField(serializers.DictField):
    """Checked by the kind that they belong to."""


class DefinitionSerializer(Strict, serializers.Serializer[Any]):
    """What a rule says. `params` belong to the kind: docs/rules has a page for each."""

    kind = serializers.ChoiceField(choices=CHOICES)
    params = ParamsField()
    subject = serializers.ChoiceField(choices=["vehicle", "meter"], required=False)
    severity = serializers.ChoiceField(choices=Severity.choices, required=False)
    duration_s = serializers.IntegerField(min_value=0, required=False)
    clear_duration_s = serializers.IntegerField(min_value=0, required=False)
    cooldown_s = serializers.IntegerField(min_value=0, required=False)
    lateness_s = serializers.IntegerField(min_value=1, required=False)
    max_gap_s = serializers.IntegerField(min_value=0, required=False)
    schedule = PeriodSerializer(many=True, required=False)
    scope = RuleScopeSerializer(required=False)
    steps = StepSerializer(many=True, required=False)
    digest = serializers.BooleanField(required=False)

    def to_representation(self, instance: RuleVersion) -> dict[str, Any]:
        """A version's definition, with the customer's ids in place of ours."""
        return outward(instance.definition, _references(self))


def _references(serializer: serializers.BaseSerializer[Any]) -> References:
    """Once for a whole list."""
    context = cast("dict[str, Any]", serializer.context)
    if "references" not in context:
        context["references"] = References(context["view"].tenant)
    return cast(References, context["references"])


class RuleSerializer(Strict, serializers.ModelSerializer[Rule]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    version = serializers.IntegerField(source="current.number", read_only=True)
    definition = DefinitionSerializer(source="current")
    enabled = serializers.BooleanField(required=False)
    says = serializers.SerializerMethodField(help_text="The condition in words.")

    class Meta:
        model = Rule
        fields = [
            "id",
            "name",
            "enabled",
            "disabled_reason",
            "version",
            "says",
            "definition",
            "created_at",
            "archived_at",
        ]
        read_only_fields = ["disabled_reason", "created_at", "archived_at"]

    def get_says(self, rule: Rule) -> str:
        version = rule.current
        if version is None:
            return ""
        return condition_in_words(version.spec, _references(self).fence_names)


class VersionSerializer(serializers.ModelSerializer[RuleVersion]):
    definition = DefinitionSerializer(source="*")

    class Meta:
        model = RuleVersion
        fields = ["number", "created_at", "created_by", "definition"]


class DryRunRequestSerializer(Strict, serializers.Serializer[Any]):
    """Without times: the last seven days."""

    definition = DefinitionSerializer()
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)


class FoundSerializer(serializers.Serializer[Any]):
    subject = serializers.CharField()
    started_at = serializers.DateTimeField()
    opened_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    values = serializers.DictField()


class DryRunSerializer(serializers.ModelSerializer[DryRun]):
    """How far it is, and what it found; `found` has the first 200, `count` counts all."""

    id = serializers.UUIDField(source="public_id")
    found = FoundSerializer(many=True)

    class Meta:
        model = DryRun
        fields = [
            "id",
            "since",
            "until",
            "subjects",
            "subjects_done",
            "readings",
            "count",
            "found",
            "created_at",
            "finished_at",
            "failure",
        ]


class TransitionSerializer(serializers.ModelSerializer[AlertTransition]):
    actor = serializers.CharField(source="actor_label", help_text="Empty: the engine.")
    values = serializers.DictField()

    class Meta:
        model = AlertTransition
        fields = ["change", "at", "actor", "reading_time", "received_at", "late", "values", "note"]


class AttemptSerializer(serializers.ModelSerializer[DeliveryAttempt]):
    class Meta:
        model = DeliveryAttempt
        fields = [
            "at",
            "duration_ms",
            "succeeded",
            "request",
            "response_status",
            "response",
            "failure",
        ]


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """`id` is the idempotency key that every attempt carries."""

    id = serializers.UUIDField(source="key")
    channel = serializers.UUIDField(source="channel.public_id")
    channel_name = serializers.CharField(source="channel.name")
    alert = serializers.UUIDField(source="alert.public_id", default=None, allow_null=True)
    log = AttemptSerializer(many=True)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "event",
            "channel",
            "channel_name",
            "alert",
            "step",
            "status",
            "attempts",
            "due_at",
            "created_at",
            "sent_at",
            "log",
        ]


class AlertSerializer(serializers.ModelSerializer[Alert]):
    id = serializers.UUIDField(source="public_id")
    rule = serializers.UUIDField(source="rule.public_id")
    rule_name = serializers.CharField(source="rule.name")
    rule_version = serializers.IntegerField(source="rule_version.number")
    subject_kind = serializers.SerializerMethodField()
    subject = serializers.CharField(source="subject_reference")
    subject_name = serializers.CharField(source="subject_label")
    fleet = serializers.CharField(source="fleet.reference", default=None, allow_null=True)
    assignee = serializers.CharField(source="assignee.email", default=None, allow_null=True)
    values = serializers.DictField()

    class Meta:
        model = Alert
        fields = [
            "id",
            "title",
            "state",
            "severity",
            "late",
            "rule",
            "rule_name",
            "rule_version",
            "subject_kind",
            "subject",
            "subject_name",
            "fleet",
            "values",
            "started_at",
            "opened_at",
            "acknowledged_at",
            "acknowledged_by",
            "resolved_at",
            "resolved_by",
            "assignee",
            "snoozed_until",
            "created_at",
        ]

    @extend_schema_field(serializers.ChoiceField(choices=sorted(SUBJECTS.values())))
    def get_subject_kind(self, alert: Alert) -> str:
        return SUBJECTS[alert.kind]


class AlertDetailSerializer(AlertSerializer):
    transitions = TransitionSerializer(many=True)
    deliveries = DeliverySerializer(many=True)

    class Meta(AlertSerializer.Meta):
        fields = [*AlertSerializer.Meta.fields, "transitions", "deliveries"]


class NoteSerializer(Strict, serializers.Serializer[Any]):
    note = serializers.CharField(max_length=4000, required=False, allow_blank=True, default="")


class RequiredNoteSerializer(Strict, serializers.Serializer[Any]):
    note = serializers.CharField(max_length=4000)


class SnoozeSerializer(Strict, serializers.Serializer[Any]):
    until = serializers.DateTimeField()


class AssignSerializer(Strict, serializers.Serializer[Any]):
    assignee = serializers.EmailField(allow_null=True, help_text="A member; null: nobody.")


class BulkSerializer(Strict, serializers.Serializer[Any]):
    action = serializers.ChoiceField(choices=["acknowledge", "resolve", "snooze"])
    ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=500)
    note = serializers.CharField(max_length=4000, required=False, allow_blank=True, default="")
    until = serializers.DateTimeField(required=False)


class BulkAnswerSerializer(serializers.Serializer[Any]):
    changed = serializers.ListField(child=serializers.UUIDField())


class CountsSerializer(serializers.Serializer[Any]):
    """Unresolved alerts that are not snoozed."""

    open = serializers.IntegerField()
    acknowledged = serializers.IntegerField()
    critical = serializers.IntegerField()
    high = serializers.IntegerField()
    medium = serializers.IntegerField()
    low = serializers.IntegerField()


class GeofenceSerializer(Strict, serializers.ModelSerializer[Geofence]):
    """Positions are [longitude, latitude]; shapes: docs/rules/geofence.md."""

    id = serializers.CharField(source="reference", max_length=64, validators=[valid_reference])
    shape = serializers.DictField()
    colour = serializers.RegexField(r"^#[0-9a-f]{6}$", required=False)

    class Meta:
        model = Geofence
        fields = ["id", "name", "shape", "colour", "created_at", "archived_at"]
        read_only_fields = ["created_at", "archived_at"]

    def validate_shape(self, shape: dict[str, Any]) -> dict[str, Any]:
        try:
            decode_shape(shape)
        except InvalidShape as error:
            raise serializers.ValidationError(str(error), code="invalid_shape") from error
        return shape


class ChannelSerializer(Strict, serializers.ModelSerializer[Channel]):
    """`address` of a chat service goes in whole and comes out without its secrets."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    kind = serializers.ChoiceField(choices=ChannelKind.choices)
    address = serializers.CharField(max_length=500)
    person = serializers.EmailField(
        source="user.email", required=False, allow_null=True, help_text="Whose contact this is."
    )
    quiet_hours = PeriodSerializer(many=True, required=False)

    class Meta:
        model = Channel
        fields = [
            "id",
            "name",
            "kind",
            "address",
            "person",
            "is_default",
            "quiet_hours",
            "enabled",
            "failures",
            "paused_until",
            "created_at",
            "archived_at",
        ]
        read_only_fields = ["failures", "paused_until", "created_at", "archived_at"]


class ChannelChangeSerializer(Strict, serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    address = serializers.CharField(max_length=500, required=False)
    is_default = serializers.BooleanField(required=False)
    enabled = serializers.BooleanField(required=False)
    quiet_hours = PeriodSerializer(many=True, required=False)


class NewChannelSerializer(ChannelSerializer):
    """A new channel with its signing secret, which is shown this once; empty: it has none."""

    secret = serializers.CharField(read_only=True)

    class Meta(ChannelSerializer.Meta):
        fields = [*ChannelSerializer.Meta.fields, "secret"]


class SigningSecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField()
