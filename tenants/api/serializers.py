"""How organisations, members, tokens and the audit trail look from outside."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tenants.api.fields import Strict
from tenants.models import ApiToken, AuditEntry, Membership, Organisation, Role, Scope


class OrganisationSerializer(Strict, serializers.ModelSerializer[Organisation]):
    id = serializers.CharField(source="slug", read_only=True)

    class Meta:
        model = Organisation
        fields = ["id", "name", "time_zone", "units", "retention_days", "created_at"]
        read_only_fields = ["created_at"]
        extra_kwargs = {"retention_days": {"min_value": 1, "max_value": 36_500}}


class MemberSerializer(Strict, serializers.ModelSerializer[Membership]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    email = serializers.EmailField(source="user.email", max_length=254)
    name = serializers.CharField(source="user.get_full_name", read_only=True)
    role = serializers.ChoiceField(choices=Role.choices)
    since = serializers.DateTimeField(source="created_at", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "email", "name", "role", "since"]


class RoleSerializer(Strict, serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices)


class TokenSerializer(Strict, serializers.ModelSerializer[ApiToken]):
    """A token without its secret; `id` is the public beginning of it."""

    id = serializers.CharField(source="prefix", read_only=True)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), min_length=1, max_length=20
    )
    created_by = serializers.CharField(
        source="created_by.email", read_only=True, default=None, allow_null=True
    )

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "name",
            "scopes",
            "created_by",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]
        read_only_fields = ["created_at", "last_used_at", "revoked_at"]


class IssuedTokenSerializer(TokenSerializer):
    """A new token with its secret, which is shown this once."""

    secret = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "secret"]


class AuditSerializer(serializers.ModelSerializer[AuditEntry]):
    """`changes` is `{field: [before, after]}`."""

    actor = serializers.CharField(source="actor_label")
    changes = serializers.DictField(child=serializers.ListField())

    class Meta:
        model = AuditEntry
        fields = ["at", "actor", "action", "target", "changes", "reason", "address"]
