"""Series for a page's chart."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from alerts.samples import Series
from telemetry.pages.period import Period, offsets_from_utc
from tenants.models import Organisation, Units


def drawn(
    series: list[Series], organisation: Organisation, start: datetime, end: datetime
) -> dict[str, Any]:
    """Series as the chart's module takes them, and how the organisation reads them."""
    offsets = offsets_from_utc(Period(start, end, ""), ZoneInfo(organisation.time_zone))
    return {
        "clock": [(round(since.timestamp() * 1000), seconds) for since, seconds in offsets],
        "imperial": organisation.units == Units.IMPERIAL,
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
