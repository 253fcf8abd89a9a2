"""Series for a page's chart."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alerts.samples import Series
from tenants.models import Organisation
from tenants.preferences import is_imperial, zone_of
from tenants.zones import clock_of


def drawn(
    series: list[Series], organisation: Organisation, start: datetime, end: datetime
) -> dict[str, Any]:
    """Series as the chart's module takes them, and how the organisation reads them."""
    return {
        "clock": clock_of(zone_of(organisation), start, end),
        "imperial": is_imperial(organisation),
        "series": [
            {
                "name": each.name,
                "label": each.label,
                "unit": each.unit,
                "steps": each.steps,
                "t": each.times,
                "v": each.values,
                "thresholds": [{"is": which, "value": value} for which, value in each.thresholds],
            }
            for each in series
        ],
    }
