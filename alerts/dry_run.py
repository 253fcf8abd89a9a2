"""A rule tried on history, by the engine that will run it: what would it have raised?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from alerts.engine import schedule
from alerts.engine.program import Program, compile_program
from alerts.engine.run import advance
from alerts.engine.sensor import Surroundings
from alerts.engine.spec import RuleSpec, encode_spec
from alerts.engine.state import Transition
from alerts.history import pages, state_before
from alerts.kinds import KINDS
from alerts.kinds.silence import opens_at
from alerts.models import DryRun
from alerts.recording import plain
from alerts.rules import checked_spec
from fleet.geofences import Geofence
from fleet.models import Meter, Vehicle
from telemetry.clock import from_us, to_us
from telemetry.records import Reading
from tenants.actors import Actor
from tenants.errors import DomainError
from tenants.models import Organisation

log = structlog.get_logger(__name__)

LONGEST = timedelta(days=31)
SHOWN = 200
"""Alerts kept of what was found; all are counted."""
RULE = 0


def start_dry_run(
    *, actor: Actor, definition: dict[str, Any], since: datetime, until: datetime
) -> DryRun:
    """Check the rule and queue the run. Ask the row how far it is."""
    from alerts.tasks import dry_run

    spec = checked_spec(actor.tenant, definition, as_trial=True)
    require_history(spec)
    if not timedelta(0) < until - since <= LONGEST:
        raise DomainError("bad_period", 422, f"Choose a period of up to {LONGEST.days} days.")
    with transaction.atomic():
        run = DryRun.objects.create(
            tenant=actor.tenant,
            definition=encode_spec(spec),
            since=since,
            until=until,
            created_by=actor.user,
        )
        transaction.on_commit(lambda: dry_run.delay(run.pk))
    return run


def require_history(spec: RuleSpec) -> None:
    """Raises DomainError for a kind that leaves nothing behind to be tried on."""
    why = KINDS[spec.kind].no_history
    if why:
        raise DomainError("no_dry_run", 422, why)


def run_dry_run(dry_run_id: int) -> None:
    """Work through one run, subject by subject, saving how far it is."""
    run = DryRun.unscoped.select_related("tenant").get(pk=dry_run_id)
    if run.finished_at is not None:
        return
    try:
        _run(run)
    except DomainError as error:
        run.failure = error.detail[:300]
    except Exception as error:
        log.exception("dry_run_failed", dry_run=str(run.public_id))
        run.failure = f"It failed: {type(error).__name__}."
    run.finished_at = timezone.now()
    run.save()


def _run(run: DryRun) -> None:
    spec = checked_spec(run.tenant, run.definition, as_trial=True)
    subjects = _subjects(run.tenant, spec)
    run.subjects, run.subjects_done, run.readings, run.count = len(subjects), 0, 0, 0
    found: list[dict[str, Any]] = []
    for number, (pk, reference) in enumerate(subjects, start=1):
        for episode in _episodes(run, spec, pk):
            run.count += 1
            if len(found) < SHOWN:
                found.append({"subject": reference, **episode})
        run.subjects_done = number
        if number % 20 == 0:
            run.save(update_fields=["subjects", "subjects_done", "readings", "count"])
    run.found = sorted(found, key=lambda episode: episode["opened_at"])


def _subjects(tenant: Organisation, spec: RuleSpec) -> list[tuple[int, str]]:
    model: Any = Vehicle if spec.subject == "v" else Meter
    rows = model.objects.for_tenant(tenant).filter(archived_at=None).order_by("reference")
    return [
        (pk, reference)
        for pk, reference, fleet_id, tags in rows.values_list("pk", "reference", "fleet_id", "tags")
        if spec.scope.covers(pk, fleet_id, frozenset(tags))
    ]


def episodes_of(
    *, tenant: Organisation, spec: RuleSpec, subject_id: int, since: datetime, until: datetime
) -> Iterator[dict[str, Any]]:
    """What a run would find of one vehicle or meter, oldest first; nothing is kept of it."""
    require_history(spec)
    yield from _episodes(DryRun(tenant=tenant, since=since, until=until), spec, subject_id)


def _episodes(run: DryRun, spec: RuleSpec, subject_id: int) -> Iterator[dict[str, Any]]:
    """[{started_at, opened_at, resolved_at, values}] of one subject, oldest first."""
    if spec.kind == "silence":
        yield from _silences(run, spec, subject_id)
        return
    program = program_of(run.tenant, spec)
    state, opened = state_before(program, spec.subject, subject_id, run.since), None
    for page in _pages(run, spec.subject, subject_id):
        state, transitions = advance(program, state, page)
        for transition in transitions:
            if transition.change == "failed":
                raise DomainError("rule_failed", 422, transition.cause)
            if transition.change == "opened":
                opened = transition
            elif transition.change == "resolved" and opened is not None:
                yield _episode(opened, transition)
                opened = None
    if opened is not None:
        yield _episode(opened, None)


def program_of(tenant: Organisation, spec: RuleSpec) -> Program:
    """The one rule as it would be compiled for an evaluation. Raises DomainError."""
    fences = Geofence.objects.for_tenant(tenant).filter(archived_at=None)
    program = compile_program(
        spec.subject,
        [(RULE, spec)],
        time_zone=tenant.time_zone,
        surroundings=Surroundings(dict(fences.values_list("pk", "shape"))),
    )
    if program.broken:
        raise DomainError("invalid_rule", 422, program.broken[0][1])
    return program


def _episode(opened: Transition, resolved: Transition | None) -> dict[str, Any]:
    return {
        "started_at": _utc(opened.started),
        "opened_at": _utc(opened.at),
        "resolved_at": None if resolved is None else _utc(resolved.at),
        "values": plain(opened.values),
    }


def _utc(microseconds: int) -> str:
    return from_us(microseconds).isoformat().replace("+00:00", "Z")


def _silences(run: DryRun, spec: RuleSpec, subject_id: int) -> Iterator[dict[str, Any]]:
    """Gaps between arrivals, as history has them."""
    allows = schedule.gate(spec.schedule, run.tenant.time_zone)
    heard, over = None, None
    for page in _pages(run, spec.subject, subject_id):
        for reading in page:
            spoke = reading.received_at
            if heard is not None and spoke > heard:
                opened = opens_at(spec, heard, spoke, over=over, allows=allows)
                if opened is not None:
                    yield _silence(heard, opened, spoke)
                    over = spoke
            heard = max(heard or 0, spoke)
    if heard is not None:
        opened = opens_at(spec, heard, to_us(run.until), over=over, allows=allows)
        if opened is not None:
            yield _silence(heard, opened, None)


def _silence(heard: int, opened: int, spoke: int | None) -> dict[str, Any]:
    return {
        "started_at": _utc(heard),
        "opened_at": _utc(opened),
        "resolved_at": None if spoke is None else _utc(spoke),
        "values": {},
    }


def _pages(run: DryRun, kind: str, subject_id: int) -> Iterator[list[Reading]]:
    """Counted as they are read. Arrival is taken to have been in time: what history shows now
    is what counts here."""
    for page in pages(kind, subject_id, since=run.since, until=run.until):
        run.readings += len(page)
        yield page
