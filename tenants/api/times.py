"""Points in time as a query asks for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField


class _UtcField(IsoDateTimeField):  # type: ignore[misc]
    """A time in UTC: the database refuses some offsets that ISO 8601 allows, such as -23:00."""

    def to_python(self, value: Any) -> datetime | None:
        time = super().to_python(value)
        try:
            return time.astimezone(UTC) if time is not None else None
        except OverflowError:
            raise ValidationError(
                forms.DateTimeField.default_error_messages["invalid"], code="invalid"
            ) from None


class TimeFilter(filters.IsoDateTimeFilter):  # type: ignore[misc]
    """An RFC 3339 time; without an offset it is taken for UTC."""

    field_class = _UtcField
