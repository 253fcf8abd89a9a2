"""What every page shows about alerts."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext

from alerts.engine.clock import shown_seconds
from alerts.models import Alert, Severity
from alerts.selectors import open_count_of
from alerts.wording import subject_url
from tenants.templatetags.display import duration

register = template.Library()

ICONS = {
    Severity.CRITICAL: "octagon-alert",
    Severity.HIGH: "triangle-alert",
    Severity.MEDIUM: "circle-alert",
    Severity.LOW: "info",
}


@register.simple_tag(takes_context=True)
def open_alerts(context: dict[str, Any]) -> int:
    """How many alerts nobody has acknowledged, in the organisation of the page."""
    shell = context.get("shell")
    organisation = shell.organisation if shell else None
    return 0 if organisation is None else open_count_of(organisation.pk)


@register.filter
def severity_icon(severity: str) -> str:
    """A shape beside the colour."""
    return ICONS.get(Severity(severity), "info")


@register.filter
def subject_address(alert: Alert) -> str:
    """The page of what the alert is about."""
    return subject_url(alert)


@register.filter
def until(start: Any, end: Any) -> str:
    """How long from one moment to another."""
    return duration((end - start).total_seconds()) if start and end else "–"


@register.filter
def change_label(change: str) -> str:
    """A step of an alert's life in words."""
    return {
        "opened": gettext("Opened"),
        "confirmed": gettext("Confirmed"),
        "recorded": gettext("Recorded"),
        "annotated": gettext("Noted by a late reading"),
        "acknowledged": gettext("Acknowledged"),
        "reopened": gettext("Acknowledgement taken back"),
        "assigned": gettext("Assigned to"),
        "snoozed": gettext("Snoozed"),
        "woken": gettext("Snooze ended"),
        "noted": gettext("Note"),
        "resolved": gettext("Resolved"),
    }.get(change, change)


@register.filter
def severity_label(severity: str) -> str:
    return str(Severity(severity).label)


@register.filter
def span(seconds: int) -> str:
    """A rule's time span as it was written: "5 min"."""
    return shown_seconds(seconds)
