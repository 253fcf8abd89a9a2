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

from fleet.models import Device
from telemetry.frames import reason
from telemetry.status import LOW_SOC_PCT, SILENT_AT

MOST: Final = 50
MOST_FAULTS: Final = 10

T = TypeVar("T")

_KNOWN = f"""
    FROM fleet_vehicle v
    JOIN fleet_fleet f ON f.id = v.fleet_id AND f.archived_at IS NULL
    JOIN telemetry_vehicle_latest l ON l.vehicle_id = v.id
    CROSS JOIN LATERAL (SELECT least(l.time, l.received_at) AS at) heard
    CROSS JOIN LATERAL (SELECT {SILENT_AT} AS at) silent
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
_REFUSED = f"""
    SELECT device_id, code, n, before, count(*) OVER () FROM (
        SELECT device_id, code, count(*) FILTER (WHERE received_at >= %(since)s) AS n,
               count(*) FILTER (WHERE received_at < %(since)s) AS before
        FROM telemetry_quarantined_frame
        WHERE tenant_id = %(tenant)s AND received_at >= %(before)s AND received_at < %(now)s
        GROUP BY device_id, code
    ) refused
    WHERE n > before ORDER BY n - before DESC, code, device_id LIMIT {MOST_FAULTS}
"""  # noqa: S608 (a number of our own)


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
    rows, total = _read(
        _REFUSED,
        {"tenant": tenant_id, "before": since - (now - since), "since": since, "now": now},
    )
    devices = Device.objects.for_tenant(tenant_id).in_bulk({row[0] for row in rows if row[0]})
    faults = [
        Fault(devices.get(device_id), str(reason(code)), code, n, before)
        for device_id, code, n, before in rows
    ]
    return Listed(faults, total)


def _standing(sql: str, parameters: dict[str, Any]) -> Listed[Standing]:
    rows, total = _read(sql, parameters)
    return Listed([Standing(*row) for row in rows], total)


def _read(sql: str, parameters: dict[str, Any]) -> tuple[list[tuple[Any, ...]], int]:
    """The rows, and how many there are of them in all: each row's last column."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = cursor.fetchall()
    return [row[:-1] for row in rows], rows[0][-1] if rows else 0
