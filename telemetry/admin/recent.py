"""The last readings of a vehicle or meter, as a table on a page about it.

A page of their own they cannot have: Django's admin takes no composite primary keys, and a
hypertable is not for browsing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from telemetry import selectors
from telemetry.storage.subjects import Subject

LAST = 50
_LOOK_BACK = timedelta(days=30)


def last_readings(subject: Subject, subject_id: int) -> SafeString | str:
    """The newest readings of the last thirty days."""
    now = timezone.now()
    page = selectors.history(
        subject,
        subject_id,
        start=now - _LOOK_BACK,
        end=now + timedelta(days=1),
        fields=list(subject.fields),
        limit=LAST,
    )
    return table(
        (reading.pop("time"), reading.pop("received_at"), _brief(reading))
        for reading in page.readings
    )


def table(rows: Iterable[tuple[Any, Any, Any]]) -> SafeString | str:
    """Three columns, escaped."""
    lines = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", rows)
    return format_html("<table>{}</table>", lines) if lines else "none"


def _brief(reading: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in reading.items())
