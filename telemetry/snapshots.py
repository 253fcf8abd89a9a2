"""What is true of a fleet now, as the live stream tells it.

One query for the things of a fleet and one for their latest state, never one per thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from fleet.models import Fleet, Meter, Vehicle
from telemetry.clock import to_us
from telemetry.models import MeterLatest, VehicleLatest
from telemetry.patches import METER_VALUES, VEHICLE_VALUES, Patch
from telemetry.rooms import wire_name_of
from telemetry.status import rule

ROSTER_SECONDS = 5
_STAMP = ("time", "reading_id", "received_at", "older", "invalid")


def vehicle_entries(
    tenant_id: int, fleet_id: int, since: int | None = None
) -> list[dict[str, Any]]:
    """Every vehicle of a fleet that is not archived, by name: what it is and its state.

    `{"id", "name", "plate", "kind", "silent_after_s", "state": Patch | None}`; with `since`
    (see `telemetry.horizon`), only states that were written from then on.
    """
    vehicles = Vehicle.objects.for_tenant(tenant_id).filter(fleet_id=fleet_id, archived_at=None)
    return list(_described(tenant_id, vehicles.order_by("name", "pk"), since).values())


def entries_of(tenant_id: int, vehicles: Iterable[int]) -> dict[int, dict[str, Any]]:
    """By vehicle, the entries of some; one that does not exist is left out."""
    return _described(tenant_id, Vehicle.objects.for_tenant(tenant_id).filter(pk__in=vehicles))


def _described(
    tenant_id: int, vehicles: QuerySet[Vehicle], since: int | None = None
) -> dict[int, dict[str, Any]]:
    rows = list(vehicles.values_list("pk", "reference", "name", "plate", "kind", "silent_after_s"))
    references = {row[0]: row[1] for row in rows}
    states = _states(VehicleLatest, "vehicle_id", VEHICLE_VALUES, tenant_id, references, since)
    return {
        pk: {
            "id": reference,
            "name": name,
            "plate": plate,
            "kind": kind,
            "silent_after_s": silent_after_s,
            "state": states.get(pk),
        }
        for pk, reference, name, plate, kind, silent_after_s in rows
    }


def meter_entries(tenant_id: int, fleet_id: int, since: int | None = None) -> list[dict[str, Any]]:
    """Every meter of a fleet: `{"id", "name", "silent_after_s", "state": Patch | None}`."""
    meters = (
        Meter.objects.for_tenant(tenant_id)
        .filter(fleet_id=fleet_id, archived_at=None)
        .order_by("name", "pk")
        .values_list("pk", "reference", "name", "silent_after_s")
    )
    rows = list(meters)
    references = {row[0]: row[1] for row in rows}
    states = _states(MeterLatest, "meter_id", METER_VALUES, tenant_id, references, since)
    return [
        {"id": ref, "name": name, "silent_after_s": silent, "state": states.get(pk)}
        for pk, ref, name, silent in rows
    ]


def snapshot_part(
    reference: str, name: str, part: int, parts: int, *, vehicles: list[Any], meters: list[Any]
) -> dict[str, Any]:
    """What docs/live-protocol.md says of one part of a fleet's snapshot."""
    return {
        "room": wire_name_of(reference),
        "fleet": {"id": reference, "name": name},
        "part": part,
        "parts": parts,
        "rule": rule(),
        "vehicles": vehicles,
        "meters": meters,
    }


def rosters(tenant_id: int, *, fresh: bool = False) -> dict[int, tuple[str, str, str]]:
    """Each fleet that is not archived: (reference, name, digest of what belongs to it).

    The digest changes when a vehicle or meter comes, goes or is renamed, so that open
    dashboards notice. Shared by all of them for a few seconds.
    """
    key = f"live:rosters:{tenant_id}"
    known: dict[int, tuple[str, str, str]] | None = None if fresh else cache.get(key)
    if known is None:
        known = dict(_read_rosters(tenant_id))
        cache.set(key, known, ROSTER_SECONDS)
    return known


def _read_rosters(tenant_id: int) -> Iterator[tuple[int, tuple[str, str, str]]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT fleet_id, sum(hashtextextended(line, 0))::text FROM (
                SELECT fleet_id, concat_ws('|', 'v', id, reference, name, plate, kind,
                                           silent_after_s) AS line
                FROM fleet_vehicle WHERE tenant_id = %(tenant)s AND archived_at IS NULL
                UNION ALL
                SELECT fleet_id, concat_ws('|', 'm', id, reference, name, silent_after_s)
                FROM fleet_meter WHERE tenant_id = %(tenant)s AND archived_at IS NULL
            ) things GROUP BY fleet_id
            """,
            {"tenant": tenant_id},
        )
        digests: dict[int, str] = dict(cursor.fetchall())
    fleets = Fleet.objects.for_tenant(tenant_id).filter(archived_at=None).order_by("name", "pk")
    for pk, reference, name in fleets.values_list("pk", "reference", "name"):
        yield pk, (reference, name, digests.get(pk, ""))


def _states(
    model: Any,
    key: str,
    names: Iterable[str],
    tenant_id: int,
    references: dict[int, str],
    since: int | None,
) -> dict[int, Patch]:
    names = tuple(names)
    rows = model.objects.filter(tenant_id=tenant_id, **{f"{key}__in": references.keys()})
    if since is not None:
        rows = rows.filter(_written_since(model._meta.db_table, since))
    return {
        pk: _patch(references[pk], stamp, dict(zip(names, values, strict=True)))
        for pk, *stamp, values in (
            (row[0], *row[1 : 1 + len(_STAMP)], row[1 + len(_STAMP) :])
            for row in rows.values_list(key, *_STAMP, *names)
        )
    }


def _written_since(table: str, horizon: int) -> RawSQL:
    """The row was written by a transaction that had not ended at that horizon.

    By the row's own transaction: its times cannot tell, since a late reading changes a state
    and leaves `received_at` to the newest one, and a backlog is stored long after it came.
    """
    written = f'age("{table}".xmin) <= age(%s::xid)'
    return RawSQL(written, [str(horizon % 2**32)], output_field=BooleanField())  # noqa: S611


def _patch(reference: str, stamp: list[Any], values: dict[str, Any]) -> Patch:
    time, reading_id, received_at, older, invalid = stamp
    sent = {name: value for name, value in values.items() if value is not None}
    if invalid:
        sent["invalid"] = invalid
    return {
        "id": reference,
        "time_us": to_us(time),
        "reading_id": reading_id,
        "received_us": to_us(received_at),
        "values": sent,
        "older": older,
    }
