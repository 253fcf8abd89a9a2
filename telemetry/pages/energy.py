"""Energy and use of a fleet over a period, and the ranking of its vehicles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fleet.models import Fleet, Meter, Vehicle
from fleet.spreadsheets import csv_lines, xlsx_file
from telemetry.energy import Use, VehicleUse, charge_now, use_of
from telemetry.pages.streaming import streamed
from tenants.models import Scope
from tenants.pages import MemberPage
from tenants.preferences import zone_of

PERIODS: Final[dict[str, tuple[int, str | Promise]]] = {
    "7d": (7, gettext_lazy("7 days")),
    "30d": (30, gettext_lazy("30 days")),
    "90d": (90, gettext_lazy("90 days")),
    "12m": (365, gettext_lazy("12 months")),
}
DEFAULT: Final = "30d"
WEEKLY_FROM: Final = 100
"""Days from which bars stand for weeks."""
SORTS: Final = ("dc", "ac", "km", "rate")
HEATS: Final = {"use": 0, "charging": 1}
RANKED: Final = 100
"""Of the vehicles so many at first, so that the page of a large fleet is quick."""
MOST_RANKED: Final = 500


@dataclass(frozen=True)
class Ranked:
    vehicle: Vehicle
    use: VehicleUse
    share: float
    """Of the greatest value that is sorted by, in per cent."""


class EnergyBase(MemberPage):
    page = "energy"
    scopes = {"GET": Scope.TELEMETRY_READ}

    @property
    def zone(self) -> ZoneInfo:
        return zone_of(self.tenant)

    def choose(self) -> None:
        """Read fleet, period and order from the address."""
        query = self.request.GET
        name = query.get("period", "")
        self.period = name if name in PERIODS else DEFAULT
        self.sort = query.get("sort", "") if query.get("sort") in SORTS else "dc"
        self.now = timezone.now()
        # From midnight of the zone, so that every day is a whole one; the last is today.
        today = self.now.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        first = today - timedelta(days=PERIODS[self.period][0] - 1)
        self.start = _to_the_hour(first.astimezone(UTC))
        self.end = _to_the_hour(self.now) + timedelta(hours=1)
        reference = query.get("fleet", "")
        self.fleet = self.find(Fleet, reference=reference) if reference else None

    def members(self) -> tuple[list[Vehicle], list[int]]:
        """Vehicles and meters of the fleet, archived ones too: what they used was used."""
        vehicles = Vehicle.objects.for_tenant(self.tenant).select_related("fleet")
        meters = Meter.objects.for_tenant(self.tenant)
        if self.fleet is not None:
            vehicles, meters = vehicles.filter(fleet=self.fleet), meters.filter(fleet=self.fleet)
        return list(vehicles.order_by("pk")), list(
            meters.order_by("pk").values_list("pk", flat=True)
        )

    def use(self, vehicles: Sequence[Vehicle], meters: Sequence[int]) -> Use:
        ids = [vehicle.pk for vehicle in vehicles]
        return use_of(ids, meters, start=self.start, end=self.end)

    def ranked(self, vehicles: Sequence[Vehicle], use: Use) -> list[Ranked]:
        heard = [(v, use.vehicles[v.pk]) for v in vehicles if v.pk in use.vehicles]
        heard.sort(key=lambda pair: (-self._value(pair[1]), pair[0].name))
        most = max((self._value(one) for _vehicle, one in heard), default=0) or 1
        return [Ranked(v, one, 100 * self._value(one) / most) for v, one in heard]

    def _value(self, use: VehicleUse) -> float:
        values = {"dc": use.dc_kwh, "ac": use.ac_kwh, "km": use.km, "rate": use.per_100_km}
        return float(values[self.sort] or 0)


class Energy(EnergyBase):
    template_name = "energy/page.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        self.choose()
        vehicles, meters = self.members()
        use = self.use(vehicles, meters)
        ranked = self.ranked(vehicles, use)
        shown = MOST_RANKED if request.GET.get("ranked") == "all" else RANKED
        charge = charge_now([v.pk for v in vehicles if v.archived_at is None])
        heat = request.GET.get("heat", "")
        heat = heat if heat in HEATS else "use"
        fleets = Fleet.objects.for_tenant(self.tenant).filter(archived_at__isnull=True)
        bars = self._bars(use)
        most = max((float(max(bar["dc"], bar["ac"])) for bar in bars), default=0.0)
        for bar in bars:
            bar["dc_share"] = _share(float(bar["dc"]), most)
            bar["ac_share"] = _share(float(bar["ac"]), most)
        return self.show(
            {
                "use": use,
                "bars": bars,
                "levels": _levels(most),
                "ranked": ranked[:shown],
                "heard": len(ranked),
                "unranked": max(len(ranked) - shown, 0),
                "more": min(len(ranked), MOST_RANKED) > shown,
                "silent": len(vehicles) - len(ranked),
                "vehicles": len(vehicles),
                "charge": [
                    {"from": 10 * at, "to": 10 * at + 10, "n": n, "share": _share(n, max(charge))}
                    for at, n in enumerate(charge)
                ],
                "charge_known": sum(charge),
                "heat": heat,
                "cells": _cells(use.week(self.zone, HEATS[heat])),
                "fleets": list(fleets.order_by("name")),
                "fleet": self.fleet,
                "period": self.period,
                "periods": [(name, label) for name, (_days, label) in PERIODS.items()],
                "start": self.start,
                "end": self.now,
                "sort": self.sort,
                "drill": self._drill(),
                "query": self._query(),
                "columns": [
                    ("km", _("Distance")), ("dc", _("DC")), ("ac", _("AC, mapped meters")),
                    ("rate", _("kWh/100 km")),
                ],
            }
        )  # fmt: skip

    def _query(self) -> str:
        asked = {"period": self.period, "fleet": self.fleet.reference if self.fleet else ""}
        return urlencode({name: value for name, value in asked.items() if value})

    def _drill(self) -> str:
        """The vehicle's own page shows up to 31 days: the last of the period."""
        start = max(self.start, self.end - timedelta(days=31))
        return urlencode({"from": start.isoformat(), "to": self.end.isoformat()})

    def _bars(self, use: Use) -> list[dict[str, Any]]:
        """AC and DC by day, or by week of a long period, empty ones too."""
        days = use.days(self.zone)
        first = self.start.astimezone(self.zone)
        step = 7 if PERIODS[self.period][0] >= WEEKLY_FROM else 1
        bars: list[dict[str, Any]] = []
        for offset in range(0, PERIODS[self.period][0], step):
            at = [first + timedelta(days=offset + n) for n in range(step)]
            sums = [sum(days[day][which] for day in at if day in days) for which in range(3)]
            bars.append({"from": at[0], "to": at[-1], "km": sums[0], "dc": sums[1], "ac": sums[2]})
        return bars


class EnergyExport(EnergyBase):
    """The ranking, every vehicle of it, as CSV or XLSX."""

    def get(self, request: HttpRequest) -> Any:
        self.choose()
        vehicles, meters = self.members()
        ranked = self.ranked(vehicles, self.use(vehicles, meters))
        headings = ["id", "name", "fleet", "distance [km]", "distance estimated",
                    "dc [kWh]", "ac of mapped meters [kWh]", "dc per 100 km [kWh]"]  # fmt: skip
        rows = [
            (
                each.vehicle.reference, each.vehicle.name, each.vehicle.fleet.reference,
                round(each.use.km, 3), "yes" if each.use.is_estimated else "no",
                each.use.dc_kwh, each.use.ac_kwh,
                round(each.use.per_100_km, 2) if each.use.per_100_km is not None else None,
            )
            for each in ranked
        ]  # fmt: skip
        name = f"energy-{self.start.astimezone(self.zone):%Y-%m-%d}-{self.period}"
        if request.GET.get("format") == "xlsx":
            kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            response = HttpResponse(xlsx_file(headings, rows), content_type=kind)
            response["Content-Disposition"] = f'attachment; filename="{name}.xlsx"'
            return response
        lines = csv_lines(headings, rows)
        return streamed(request, lines, content_type="text/csv; charset=utf-8", name=f"{name}.csv")


def _to_the_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _levels(most: float) -> list[dict[str, float]]:
    """Two to four round values, each with its height in percent of the highest bar."""
    if not most:
        return []
    power = 10.0 ** math.floor(math.log10(most / 2))
    step = max(n * power for n in (1, 2, 5) if n * power <= most / 2)
    values = [n * step for n in range(1, math.floor(most / step) + 1)]
    return [{"value": value, "share": _share(value, most)} for value in values]


def _share(value: float, most: float) -> float:
    return round(100 * value / most, 1) if most else 0


def _cells(week: list[list[float]]) -> list[dict[str, Any]]:
    most = max(max(hours) for hours in week)
    names = [_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun")]
    return [
        {
            "name": name,
            "hours": [{"value": value, "share": _share(value, most)} for value in hours],
        }
        for name, hours in zip(names, week, strict=True)
    ]
