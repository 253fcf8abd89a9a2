"""What late readings changed of a period's totals: before and after.

"Before" leaves out every reading that came more than five minutes after its time, which is
what the page showed until the late ones came. History keeps both clocks of every reading,
so this is computed, not recorded, and stays true whatever comes later still.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from telemetry.journey import Journey
from telemetry.journey_totals import Totals
from tenants.models import Organisation
from tenants.templatetags.display import distance, duration


def revisions(
    journey: Journey, capacity_kwh: Decimal | None, organisation: Organisation
) -> dict[str, str]:
    """The former words of every total whose words late readings changed, by its name."""
    if journey.punctual is None or journey.late_readings == journey.readings:
        return {}
    before = _said(journey.punctual, capacity_kwh, organisation)
    after = _said(journey.totals, capacity_kwh, organisation)
    return {name: words for name, words in before.items() if words != after[name]}


def _said(totals: Totals, capacity_kwh: Decimal | None, of: Organisation) -> dict[str, str]:
    energy, _estimated = totals.spent_kwh(capacity_kwh)
    rate = totals.per_100_km(energy)
    return {
        "distance": distance(totals.distance_km, of),
        "driving": duration(totals.moving_s),
        "energy": _number(energy, 1, "kWh"),
        "efficiency": _number(rate, 1, "kWh/100 km"),
        "charged": _number(totals.charged_kwh, 2, "kWh"),
        "charge": _range(totals.soc_first, totals.soc_last),
    }


def _number(value: Any, digits: int, unit: str) -> str:
    return f"{value:.{digits}f} {unit}" if value is not None else "–"


def _range(first: float | None, last: float | None) -> str:
    return f"{first:.0f} → {last:.0f} %" if first is not None and last is not None else "–"
