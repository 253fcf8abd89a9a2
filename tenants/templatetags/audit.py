"""An entry of the audit trail, as its page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template

from tenants.audit_words import (
    Words,
    action_in_words,
    field_in_words,
    target_in_words,
    value_in_words,
)
from tenants.models import AuditEntry, Organisation
from tenants.templatetags.display import moment

register = template.Library()

register.filter(action_in_words)
register.filter(target_in_words)

LONG = 120
"""Characters beyond which a value is folded away."""


@dataclass(frozen=True, slots=True)
class Change:
    name: Words
    before: Any
    after: Any
    is_long: bool


@register.filter
def changes_in_words(entry: AuditEntry, organisation: Organisation) -> list[Change]:
    """What an entry changed, before and after."""
    return [
        _change(name, pair, organisation)
        for name, pair in entry.changes.items()
        if any(value not in (None, "", []) for value in pair)
    ]


def _change(name: str, pair: Sequence[Any], organisation: Organisation) -> Change:
    before, after = (value_in_words(name, value) for value in pair)
    return Change(
        field_in_words(name),
        _shown(before, organisation),
        _shown(after, organisation),
        is_long=len(f"{before}{after}") > LONG,
    )


def _shown(value: Any, organisation: Organisation) -> Any:
    return moment(value, organisation) if isinstance(value, datetime) else value
