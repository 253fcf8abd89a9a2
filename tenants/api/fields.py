"""What serializers build on: no unknown fields, no rows of other organisations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.db.models import QuerySet
from rest_framework import serializers

from tenants.scoping import TenantOwned


class Strict(serializers.BaseSerializer[Any]):
    """Refuses fields it does not know: a misspelt one is not dropped without a word."""

    fields: Any

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = serializers.ErrorDetail("Unknown or read-only field.", code="unknown_field")
            if excess := sorted(data.keys() - known):
                raise serializers.ValidationError({name[:64]: unknown for name in excess})
        return super().to_internal_value(data)


class TenantReference(serializers.SlugRelatedField[Any]):
    """Another row of the caller's organisation, named by its reference.

    What belongs to someone else is as unknown as what does not exist.
    """

    default_error_messages = {"does_not_exist": "There is no such id in your organisation."}

    def __init__(self, model: type[TenantOwned] | None = None, **options: Any) -> None:
        self.model = model
        if not options.get("read_only"):
            # DRF insists on a queryset here; the tenant's own takes its place.
            options["queryset"] = model.unscoped.none() if model else None
        super().__init__(slug_field="reference", **options)

    def get_queryset(self) -> QuerySet[Any]:
        tenant_id = self.context.get("tenant_id")
        if self.model is None or tenant_id is None:
            return cast("QuerySet[Any]", super().get_queryset())
        return self.model.objects.for_tenant(tenant_id)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)
