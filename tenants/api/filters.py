"""What the audit trail and the tokens can be narrowed by."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters

from tenants.api.times import TimeFilter
from tenants.models import ApiToken, AuditEntry


class AuditFilter(filters.FilterSet):  # type: ignore[misc]
    action = filters.CharFilter(max_length=60, label="e.g. vehicle.vin_revealed")
    target = filters.CharFilter(max_length=160, label="e.g. vehicle V456")
    since = TimeFilter(field_name="at", lookup_expr="gte")
    until = TimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields: list[str] = []


class TokenFilter(filters.FilterSet):  # type: ignore[misc]
    revoked = filters.BooleanFilter(method="by_state", label="true: only revoked; false: only not")

    class Meta:
        model = ApiToken
        fields: list[str] = []

    def by_state(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset.filter(revoked_at__isnull=not value)
