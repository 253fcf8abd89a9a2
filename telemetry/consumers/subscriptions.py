"""What a dashboard wishes to see, and what of it there is. Reads only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import redis
from django.conf import settings

from fleet.models import Vehicle
from telemetry.consumers.requests import MAX_NAMES, Subscribe, Unsubscribe
from telemetry.rooms import counter_of
from telemetry.snapshots import meter_entries, rosters, vehicle_entries

_redis = redis.Redis.from_url(settings.REDIS_URL)

RoomPlan = tuple[str, str, str, frozenset[str] | None]
"""Reference, name, digest of what belongs to it, watched vehicles (None: everything)."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """Fleets and vehicles by reference."""

    all_fleets: bool = False
    fleets: frozenset[str] = frozenset()
    vehicles: frozenset[str] = frozenset()

    def with_more(self, request: Subscribe) -> Wishes:
        named = frozenset() if request.fleets == "all" else frozenset(request.fleets)
        return Wishes(
            self.all_fleets or request.fleets == "all",
            self.fleets | named,
            self.vehicles | frozenset(request.vehicles),
        )

    def with_less(self, request: Unsubscribe) -> Wishes:
        everything = request.fleets == "all"
        named = frozenset() if everything else frozenset(request.fleets)
        return Wishes(
            self.all_fleets and not everything,
            frozenset() if everything else self.fleets - named,
            self.vehicles - frozenset(request.vehicles),
        )

    def without(self, names: list[str]) -> Wishes:
        return replace(
            self,
            fleets=self.fleets - {n.removeprefix("fleet:") for n in names if n[0] == "f"},
            vehicles=self.vehicles - {n.removeprefix("vehicle:") for n in names if n[0] == "v"},
        )

    @property
    def too_many(self) -> bool:
        return len(self.fleets) > MAX_NAMES or len(self.vehicles) > MAX_NAMES


@dataclass(frozen=True, slots=True)
class Outlook:
    """The rooms to be in, by fleet id; the wishes that nothing answers to ("fleet:F9",
    another tenant's included); the counters of the rooms asked for."""

    rooms: dict[int, RoomPlan]
    missing: list[str]
    counters: dict[int, int]


def look(tenant_id: int, wishes: Wishes, counters_of: tuple[int, ...] = ()) -> Outlook:
    fleets = rosters(tenant_id)
    if not wishes.fleets <= {reference for reference, _, _ in fleets.values()}:
        fleets = rosters(tenant_id, fresh=True)  # It may have been created just now.
    rooms: dict[int, RoomPlan] = {
        pk: (reference, name, digest, None)
        for pk, (reference, name, digest) in fleets.items()
        if wishes.all_fleets or reference in wishes.fleets
    }
    found = {reference for reference, _, _ in fleets.values()}
    missing = [f"fleet:{reference}" for reference in sorted(wishes.fleets - found)]
    if wishes.vehicles:
        homes = _homes_of(tenant_id, wishes.vehicles)
        missing += [f"vehicle:{reference}" for reference in sorted(wishes.vehicles - homes.keys())]
        watched: dict[int, set[str]] = defaultdict(set)
        for reference, fleet_id in homes.items():
            watched[fleet_id].add(reference)
        for fleet_id in watched.keys() - rooms.keys():
            if fleet := fleets.get(fleet_id):
                rooms[fleet_id] = (*fleet, frozenset(watched[fleet_id]))
    return Outlook(rooms, missing, _counters(tenant_id, counters_of))


def read_room(
    tenant_id: int, fleet_id: int, watched: frozenset[str] | None, since: int | None = None
) -> tuple[int, list[dict[str, Any]], list[dict[str, Any]]]:
    """The number that the snapshot covers, vehicles, meters; with `since`, all of them still,
    but without the states that have not been written since that horizon.

    The number is read first: a message is published after its readings are committed, so
    everything up to that number is in what is read from the database afterwards.
    """
    seq = _counters(tenant_id, (fleet_id,))[fleet_id]
    vehicles = vehicle_entries(tenant_id, fleet_id, since)
    if watched is not None:
        return seq, [entry for entry in vehicles if entry["id"] in watched], []
    return seq, vehicles, meter_entries(tenant_id, fleet_id, since)


def _homes_of(tenant_id: int, references: frozenset[str]) -> dict[str, int]:
    return dict(
        Vehicle.objects.for_tenant(tenant_id)
        .filter(reference__in=references, archived_at=None, fleet__archived_at=None)
        .values_list("reference", "fleet_id")
    )


def _counters(tenant_id: int, fleet_ids: tuple[int, ...]) -> dict[int, int]:
    pipeline = _redis.pipeline(transaction=False)
    for fleet_id in fleet_ids:
        pipeline.get(counter_of(tenant_id, fleet_id))
    return {pk: int(count or 0) for pk, count in zip(fleet_ids, pipeline.execute(), strict=True)}
