"""What lists can be narrowed by."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from fleet.models import Device, Fleet, Meter, Vehicle, VehicleKind
from fleet.tags import LONGEST


class ReferencedFilter(filters.FilterSet):  # type: ignore[misc]
    """`search` looks into id and name; archived things only show on request."""

    search = filters.CharFilter(method="by_text", label="Part of the id or the name", max_length=64)
    archived = filters.BooleanFilter(
        method="by_state", label="true: only archived; false (default): only in service"
    )

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        queryset = super().filter_queryset(queryset)
        if self.form.cleaned_data.get("archived") is None:
            queryset = queryset.filter(archived_at__isnull=True)
        return queryset

    def by_text(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(Q(reference__icontains=value) | Q(name__icontains=value))

    def by_state(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset.filter(archived_at__isnull=not value)


class FleetFilter(ReferencedFilter):
    class Meta:
        model = Fleet
        fields: list[str] = []


def _tag_filter() -> Any:
    def by_tag(queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(tags__contains=[value])

    return filters.CharFilter(method=by_tag, max_length=LONGEST, label="One of its tags")


class VehicleFilter(ReferencedFilter):
    fleet = filters.CharFilter(field_name="fleet__reference", label="Id of the fleet")
    kind = filters.ChoiceFilter(choices=VehicleKind.choices)
    tag = _tag_filter()

    class Meta:
        model = Vehicle
        fields: list[str] = []


class MeterFilter(ReferencedFilter):
    fleet = filters.CharFilter(field_name="fleet__reference", label="Id of the fleet")
    tag = _tag_filter()

    class Meta:
        model = Meter
        fields: list[str] = []


class DeviceFilter(ReferencedFilter):
    vehicle = filters.CharFilter(field_name="vehicle__reference", label="Id of the vehicle")
    meter = filters.CharFilter(field_name="meter__reference", label="Id of the meter")
    protocol = filters.CharFilter(max_length=40)

    class Meta:
        model = Device
        fields: list[str] = []
