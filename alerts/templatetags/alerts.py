"""What every page shows about alerts."""

from __future__ import annotations

from typing import Any

from django import template

from alerts.selectors import counts_of

register = template.Library()


@register.simple_tag(takes_context=True)
def open_alerts(context: dict[str, Any]) -> int:
    """How many alerts nobody has acknowledged, in the organisation of the page."""
    organisation = context.get("organisation")
    return 0 if organisation is None else counts_of(organisation.pk)["open"]
