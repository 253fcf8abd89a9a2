"""What lists can be narrowed by."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters

from alerts.models import Alert, AlertState, Delivery, DeliveryStatus, Severity
from tenants.api.times import TimeFilter


class AlertFilter(filters.FilterSet):  # type: ignore[misc]
    """Without `state`, what is not resolved."""

    state = filters.MultipleChoiceFilter(choices=AlertState.choices)
    severity = filters.MultipleChoiceFilter(choices=Severity.choices)
    rule = filters.UUIDFilter(field_name="rule__public_id")
    vehicle = filters.CharFilter(method="by_vehicle", max_length=64, label="Id of the vehicle")
    meter = filters.CharFilter(method="by_meter", max_length=64, label="Id of the meter")
    fleet = filters.CharFilter(field_name="fleet__reference", max_length=64)
    assignee = filters.CharFilter(field_name="assignee__email", max_length=254)
    late = filters.BooleanFilter()
    snoozed = filters.BooleanFilter(method="by_snooze", label="true: only snoozed ones")
    since = TimeFilter(field_name="opened_at", lookup_expr="gte")
    until = TimeFilter(field_name="opened_at", lookup_expr="lt")

    class Meta:
        model = Alert
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        queryset = super().filter_queryset(queryset)
        if not self.form.cleaned_data.get("state"):
            queryset = queryset.filter(~Q(state=AlertState.RESOLVED))
        return queryset

    def by_vehicle(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(kind="v", subject_reference=value)

    def by_meter(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(kind="m", subject_reference=value)

    def by_snooze(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        asleep = Q(snoozed_until__gt=timezone.now())
        return queryset.filter(asleep if value else ~asleep)


class DeliveryFilter(filters.FilterSet):  # type: ignore[misc]
    status = filters.MultipleChoiceFilter(choices=DeliveryStatus.choices)
    channel = filters.UUIDFilter(field_name="channel__public_id")
    alert = filters.UUIDFilter(field_name="alert__public_id")

    class Meta:
        model = Delivery
        fields: list[str] = []


class ArchivedFilter(filters.FilterSet):  # type: ignore[misc]
    """Archived ones only show on request."""

    archived = filters.BooleanFilter(method="by_state")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        queryset = super().filter_queryset(queryset)
        if self.form.cleaned_data.get("archived") is None:
            queryset = queryset.filter(archived_at__isnull=True)
        return queryset

    def by_state(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset.filter(archived_at__isnull=not value)
