"""Brings the past of the simulated fleet in by HTTP ingest, as an integration would.

The newest part first, a request for each vehicle or meter and part, at a bounded rate. A
request is taken in whole or not at all, so whoever has one reading of the beginning of a part
has all of it: what was interrupted goes on from there, and what is complete is not made again.
"""

from __future__ import annotations

import http.client
import math
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import structlog

from telemetry.limits import limits_of
from telemetry.models import MeterReadingRow, VehicleReadingRow
from telemetry.simulator import roster
from telemetry.simulator.duty import Part, parts_before
from telemetry.simulator.meters import CHARGER_EFFICIENCY, MILLIWATT_HOUR, PHASES, STANDBY_KW
from telemetry.simulator.past import METER_S, PARTS, REPORTS_S, Stretch, past_of
from telemetry.simulator.posting import IngestPost
from telemetry.simulator.roster import RosteredMeter, RosteredVehicle
from telemetry.simulator.vehicle import Activity
from tenants.models import Organisation

log = structlog.get_logger(__name__)

FIRST_WITHIN_S = REPORTS_S[Activity.PARKED]
"""The first reading of a part comes so soon."""
PATIENCE_S = 2.0
"""Between attempts at an ingest that cannot take more now."""

Item = dict[str, Any]


class NotTaken(Exception):
    """Ingest refused a request for good."""


@dataclass(slots=True)
class Filling:
    """`rate`: readings a second, at most."""

    tenant: Organisation
    ingest: IngestPost
    vehicles: Sequence[RosteredVehicle]
    """All there are: meters refer to them by their place."""
    meters: Sequence[RosteredMeter]
    rate: float
    sent: int = 0
    _free_at: float = field(default_factory=time.monotonic)

    def missing(self) -> list[tuple[Part, set[int], set[int]]]:
        """Parts of which something is to be sent, with ids of vehicles and of meters."""
        now_us = time.time_ns() // 1000
        kept_since = limits_of(self.tenant.retention_days).span(now_us)[0] / 1_000_000
        setting = roster.setting_of(self.tenant)
        vehicles = {one.vehicle_id for one in self.vehicles if one.past is not None}
        meters = {one.meter_id for one in self.meters if one.has_a_past}
        parts = []
        for part in parts_before(setting.until, setting.zone, PARTS):
            if part.begins < kept_since:
                break
            since = datetime.fromtimestamp(part.begins, UTC)
            heard = VehicleReadingRow.objects.filter(
                vehicle_id__in=vehicles,
                time__gte=since,
                time__lt=since + timedelta(seconds=FIRST_WITHIN_S),
            )
            counted = MeterReadingRow.objects.filter(
                meter_id__in=meters, time__gte=since, time__lt=since + timedelta(seconds=METER_S)
            )
            lacking = (
                vehicles - set(heard.values_list("vehicle_id", flat=True)),
                meters - set(counted.values_list("meter_id", flat=True)),
            )
            parts.append((part, *lacking))
        while parts and not (parts[-1][1] or parts[-1][2]):
            parts.pop()
        return parts

    def fill(self, parts: Iterable[tuple[Part, set[int], set[int]]]) -> None:
        """Send what is missing. Raises NotTaken."""
        setting = roster.setting_of(self.tenant)
        pasts = {
            place: past_of(vehicle.past, setting)
            for place, vehicle in enumerate(self.vehicles)
            if vehicle.past is not None
        }
        for part, vehicles, meters in parts:
            lived: dict[int, Stretch] = {}
            for place, past in pasts.items():
                stretch = lived[place] = next(past)
                vehicle = self.vehicles[place]
                if vehicle.vehicle_id in vehicles:
                    name = {"vehicle_id": vehicle.reference}
                    self._send([{**name, **reading} for reading in stretch.readings])
                stretch.readings.clear()
            for meter in self.meters:
                if meter.meter_id in meters:
                    behind = [lived[place] for place in meter.behind if place in lived]
                    self._send(read_meter(meter.reference, part, behind))
            log.info("past filled in", day=str(part.day), sent=self.sent)

    def _send(self, items: Sequence[Item]) -> None:
        """Until it is taken."""
        if not items:
            return
        while True:
            time.sleep(max(0.0, self._free_at - time.monotonic()))
            began = time.monotonic()
            try:
                status, answer = self.ingest.post(items)
            except (OSError, http.client.HTTPException) as error:
                log.info("the past waits", error=type(error).__name__)
            else:
                if status < 400:
                    break
                if status < 500 and status != 429:
                    raise NotTaken(f"{status}: {answer[:300].decode('latin-1')}")
                log.info("the past waits", status=status)
            self._free_at = time.monotonic() + PATIENCE_S
        refused = msgspec.json.decode(answer).get("refused", 0)
        if refused:
            log.warning("readings of the past refused", refused=refused)
        self.sent += len(items)
        self._free_at = began + len(items) / self.rate


def read_meter(reference: str, part: Part, behind: Sequence[Stretch]) -> list[Item]:
    """What a meter counted in a part: a reading at the end of every METER_S."""
    chance = random.Random(f"{reference}:{part.day}")
    items = []
    for number in range(int(part.begins // METER_S), math.ceil(part.ends / METER_S)):
        ends = min((number + 1) * METER_S, part.ends)
        seconds = ends - max(number * METER_S, part.begins)
        into_packs_j = sum(stretch.charged_j.get(number, 0.0) for stretch in behind)
        power_kw = into_packs_j / CHARGER_EFFICIENCY / seconds / 1000 + STANDBY_KW
        voltage = chance.gauss(230.5, 1.2)
        items.append(
            {
                "meter_id": reference,
                # The energy belongs to the time before: at the full hour it would to the next.
                "time": int(ends * 1000) - 1_000,
                "energy_ac_kwh": Decimal(power_kw * seconds / 3_600).quantize(MILLIWATT_HOUR),
                "voltage_v": round(voltage, 1),
                "current_a": round(power_kw * 1000 / voltage / PHASES, 2),
                "power_kw": round(power_kw, 3),
            }
        )
    return items
