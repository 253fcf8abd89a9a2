"""What of the readings a person who comes back has to know: who fell silent meanwhile, who has
little charge now, and of which devices more is refused than before. Each is one query, of a
bounded number of rows and the count of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from django.db import connection
from django.db.models import Count, F, Q

from fleet.models import Device
from telemetry.frames import reason
from telemetry.models import QuarantinedFrame
from telemetry.status import LOW_SOC_PCT

MOST: Final = 50
MOST_FAULTS: Final = 10

T = TypeVar("T")

_KNOWN = """
    FROM fleet_vehicle v
    JOIN fleet_fleet f ON f.id = v.fleet_id AND f.archived_at IS NULL
    JOIN telemetry_vehicle_latest l ON l.vehicle_id = v.id
    CROSS JOIN LATERAL (SELECT least(l.time, l.received_at) AS at) heard
    CROSS JOIN LATERAL (SELECT heard.at + v.silent_after_s * interval '1 second' AS at) silent
    WHERE v.tenant_id = %(tenant)s AND v.archived_at IS NULL
"""
_SILENT = f"""
    SELECT v.reference, v.name, f.name, heard.at, l.soc_pct, count(*) OVER ()
    {_KNOWN} AND silent.at >= %(since)s AND silent.at < %(now)s
    ORDER BY heard.at DESC, v.id LIMIT {MOST}
"""
_LOW = f"""
    SELECT v.reference, v.name, f.name,
           coalesce(to_timestamp((l.older -> 'soc_pct' ->> 0)::bigint / 1e6), l.time),
           l.soc_pct, count(*) OVER ()
    {_KNOWN} AND silent.at >= %(now)s AND l.soc_pct < %(low)s AND l.charging IS NOT TRUE
    ORDER BY l.soc_pct, v.id LIMIT {MOST}
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A vehicle: when it was last heard, or of when its charge is."""

    reference: str
    name: str
    fleet: str
    at: datetime
    soc_pct: float | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Refusals of one kind from one device: so many since, so many in as long a time before."""

    device: Device | None
    reason: str
    code: str
    n: int
    before: int


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """The first of `total`."""

    rows: Sequence[T] = ()
    total: int = 0

    @property
    def left(self) -> int:
        return self.total - len(self.rows)


def gone_silent(tenant_id: int, since: datetime, now: datetime) -> Listed[Standing]:
    """Whose limit ran out since then and who are silent still, the last to fall silent first."""
    return _standing(_SILENT, {"tenant": tenant_id, "since": since, "now": now})


def low_charge(tenant_id: int, now: datetime) -> Listed[Standing]:
    """Who report, have little charge, and do not charge; the emptiest first."""
    return _standing(_LOW, {"tenant": tenant_id, "now": now, "low": LOW_SOC_PCT})


def refusals_grown(tenant_id: int, since: datetime, now: datetime) -> Listed[Fault]:
    """Where more was refused since then than in as long a time before; the most first."""
    lately = Count("pk", filter=Q(received_at__gte=since))
    earlier = Count("pk", filter=Q(received_at__lt=since))
    found = list(
        QuarantinedFrame.objects.filter(
            tenant_id=tenant_id, received_at__gte=since - (now - since), received_at__lt=now
        )
        .values("device_id", "code")
        .annotate(n=lately, before=earlier)
        .filter(n__gt=F("before"))
        .order_by(F("before") - F("n"), "code", "device_id")[: MOST_FAULTS + 1]
    )
    devices = Device.objects.for_tenant(tenant_id).in_bulk(
        {each["device_id"] for each in found if each["device_id"]}
    )
    faults = [
        Fault(
            devices.get(each["device_id"]),
            str(reason(each["code"])),
            each["code"],
            each["n"],
            each["before"],
        )
        for each in found[:MOST_FAULTS]
    ]
    return Listed(faults, len(found))


def _standing(sql: str, parameters: dict[str, Any]) -> Listed[Standing]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = cursor.fetchall()
    return Listed([Standing(*row[:-1]) for row in rows], rows[0][-1] if rows else 0)
