"""Which rules watch which vehicle or meter, compiled: what an evaluation looks things up in.

Loaded whole (rules are few, vehicles many) and again when `stamp` says that a rule, a
geofence or a scope has changed. Programs are shared: all vehicles that the same rules watch
run the same one.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from alerts.engine.program import Program, compile_program
from alerts.engine.sensor import Surroundings
from alerts.engine.spec import InvalidRule, RuleSpec
from alerts.models import Rule
from fleet.geofences import Geofence
from fleet.models import Meter, Vehicle
from telemetry.streams import sync_client

Subject = tuple[str, int]
"""("v" or "m", id)"""

ADDRESS_SECONDS = 30.0
"""How long a vehicle's fleet and tags are remembered: a move counts within that time."""


@dataclass(frozen=True, slots=True)
class Watching:
    """One enabled rule at its current version."""

    rule_id: int
    version_id: int
    tenant_id: int
    name: str
    spec: RuleSpec


@dataclass(frozen=True, slots=True)
class Address:
    """Where a vehicle or meter belongs."""

    tenant_id: int
    fleet_id: int | None
    reference: str
    label: str
    tags: frozenset[str]


def _stamp_key() -> str:
    return f"{settings.REDIS_PREFIX}:alerts:rules"


def stamp() -> int:
    """Grows with every change that evaluations have to know of."""
    return int(sync_client().get(_stamp_key()) or 0)


def announce_change() -> None:
    """Have every evaluation load the rules again. Call it after the commit."""
    sync_client().incr(_stamp_key())


class RuleBook:
    """All rules of all organisations, as of one stamp."""

    def __init__(self) -> None:
        self.stamp = stamp()
        self.loaded_at = time.monotonic()
        self.invalid: list[tuple[int, str]] = []
        self.rules: dict[int, Watching] = {}
        self._of_tenant: dict[tuple[int, str], list[Watching]] = defaultdict(list)
        self._zones: dict[int, str] = {}
        self._programs: dict[tuple[int, str, tuple[int, ...]], Program] = {}
        self._addresses: dict[Subject, Address | None] = {}
        self._load()
        fences = list(Geofence.unscoped.filter(archived_at=None).values_list("pk", "shape", "name"))
        self._surroundings = Surroundings({pk: shape for pk, shape, _ in fences})
        self.fence_names: dict[int, str] = {pk: name for pk, _, name in fences}

    def _load(self) -> None:
        rows = (
            Rule.unscoped.filter(
                enabled=True, archived_at=None, current__isnull=False, tenant__archived_at=None
            )
            .select_related("current", "tenant")
            .order_by("pk")
        )
        for row in rows:
            assert row.current is not None  # noqa: S101  (the filter above)
            try:
                spec = row.current.spec
            except InvalidRule as error:
                self.invalid.append((row.pk, str(error)))
                continue
            rule = Watching(row.pk, row.current.pk, row.tenant_id, row.name, spec)
            self.rules[row.pk] = rule
            self._of_tenant[row.tenant_id, spec.subject].append(rule)
            self._zones[row.tenant_id] = row.tenant.time_zone

    def is_outdated(self) -> bool:
        """Asked once a batch: one small read."""
        return stamp() != self.stamp or time.monotonic() - self.loaded_at > ADDRESS_SECONDS

    def of_kind(self, kind: str) -> list[Watching]:
        return [rule for rule in self.rules.values() if rule.spec.kind == kind]

    def zone_of(self, tenant_id: int) -> str:
        return self._zones.get(tenant_id, "UTC")

    def learn(self, subjects: Iterable[Subject]) -> None:
        """Look up where these belong, those not known yet: one query a kind."""
        missing: dict[str, list[int]] = {"v": [], "m": []}
        for subject in subjects:
            if subject not in self._addresses:
                missing[subject[0]].append(subject[1])
                self._addresses[subject] = None  # archived, or of nobody
        for kind, model in (("v", Vehicle), ("m", Meter)):
            if missing[kind]:
                rows = model._default_manager.filter(
                    pk__in=missing[kind], archived_at=None
                ).values_list("pk", "tenant_id", "fleet_id", "name", "reference", "tags")
                for pk, tenant_id, fleet_id, name, reference, tags in rows:
                    self._addresses[kind, pk] = Address(
                        tenant_id, fleet_id, reference, name or reference, frozenset(tags)
                    )

    def address_of(self, subject: Subject) -> Address | None:
        return self._addresses.get(subject)

    def watching(self, subject: Subject) -> list[Watching]:
        """The rules that watch a subject that `learn` has heard of."""
        address = self._addresses.get(subject)
        if address is None:
            return []
        return [
            rule
            for rule in self._of_tenant.get((address.tenant_id, subject[0]), ())
            if rule.spec.scope.covers(subject[1], address.fleet_id, address.tags)
        ]

    def program_for(self, subject: Subject) -> Program | None:
        """None where no rule watches it."""
        rules = self.watching(subject)
        if not rules:
            return None
        tenant_id = rules[0].tenant_id
        key = (tenant_id, subject[0], tuple(rule.rule_id for rule in rules))
        program = self._programs.get(key)
        if program is None:
            program = self._programs[key] = compile_program(
                subject[0],
                [(rule.rule_id, rule.spec) for rule in rules],
                time_zone=self.zone_of(tenant_id),
                surroundings=self._surroundings,
            )
            self.invalid.extend(program.broken)
        return program
