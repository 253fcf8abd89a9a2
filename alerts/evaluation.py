"""One partition of the stored log, run through the engine.

What makes it exact under any crash: the memory of the engine is saved at checkpoints, and
only then are the log's entries acknowledged. Whatever was read since the last checkpoint is
read again, makes the same transitions again, and those are recognised (`alerts.recording`).
Alerts themselves are committed with every batch: they do not wait for a checkpoint.

Only one process evaluates a partition at a time: it holds an advisory lock on the very
database connection that it writes with, so losing the lock means losing the writes too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import msgspec
import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from alerts import rules
from alerts.announce import announce
from alerts.engine.run import advance
from alerts.engine.state import (
    CLEARING,
    OPEN,
    SubjectState,
    pack_state,
    replace,
    unpack_state,
)
from alerts.late_spans import GoingOn, handed_over, note_late_spans, taken_over
from alerts.models import EvaluationOwner
from alerts.recording import Happening, Recorded, hold_record, record
from alerts.rulebook import RuleBook, Subject
from telemetry.records import Reading, VehicleReading
from telemetry.streams import STORED, Entry

log = structlog.get_logger(__name__)

GROUP = "alerts"
ENTRIES_A_BATCH = 50
MAX_REMEMBERED = 250_000
"""Subjects kept in memory by one partition; beyond it those at rest are dropped."""
LOCK_CLASS = 0x0A1E27
"""First key of the advisory locks, so that they meet nobody else's."""

_PROCESS: UUID = uuid4()
_decoder = msgspec.msgpack.Decoder(list[Reading])

_SAVE = """
INSERT INTO alerts_subjectmemory (kind, subject_id, packed)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bytea[])
ON CONFLICT (kind, subject_id) DO UPDATE SET packed = excluded.packed
"""
_LOAD = """
SELECT kind, subject_id, packed FROM alerts_subjectmemory
WHERE kind = %s AND subject_id = ANY(%s)
"""


def load_memory(subjects: Sequence[Subject]) -> dict[Subject, SubjectState]:
    """What the engine remembers of these; those it knows nothing of are left out."""
    found: dict[Subject, SubjectState] = {}
    with connection.cursor() as cursor:
        for kind in {subject[0] for subject in subjects}:
            cursor.execute(_LOAD, [kind, [pk for of, pk in subjects if of == kind]])
            for of, pk, packed in cursor.fetchall():
                found[of, pk] = unpack_state(bytes(packed))
    return found


def save_memory(states: dict[Subject, SubjectState]) -> None:
    """Keep these, in one statement."""
    rows = [(kind, pk, pack_state(state)) for (kind, pk), state in sorted(states.items())]
    with connection.cursor() as cursor:
        cursor.execute(_SAVE, [list(column) for column in zip(*rows, strict=True)])


class Partition:
    """What a process holds of the partition that it evaluates."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.states: dict[Subject, SubjectState] = {}
        self.unsaved: set[Subject] = set()
        self.unacknowledged: list[Entry] = []
        self.saved_at = time.monotonic()
        self.recovering = True
        """There may be entries that were delivered before and not acknowledged."""

    def forget(self) -> None:
        """Another process may have gone on from here: believe only what is stored."""
        self.__init__(self.number)  # type: ignore[misc]

    def drain(self, book: RuleBook) -> int:
        """Evaluate the next entries; returns how many there were."""
        entries = self._next_entries()
        if entries:
            try:
                self._evaluate(entries, book)
            except BaseException:
                self.forget()
                raise
        due = time.monotonic() - self.saved_at >= settings.ALERTS_CHECKPOINT_S
        if self.unacknowledged and (due or len(self.unacknowledged) >= 2000):
            self.checkpoint()
        return len(entries)

    def _next_entries(self) -> list[Entry]:
        if self.recovering:
            self.recovering = False
            # Everything pending at once: reading "from the beginning" again would repeat it.
            pending = STORED.read_pending(self.number, GROUP, count=100_000)
            if pending:
                return pending
        return STORED.read(self.number, GROUP, count=ENTRIES_A_BATCH, block_ms=1)

    def _evaluate(self, entries: list[Entry], book: RuleBook) -> None:
        readings = _by_subject(entries)
        book.learn(readings)
        programs = {subject: book.program_for(subject) for subject in readings}
        watched = [subject for subject, program in programs.items() if program is not None]
        self._remember([subject for subject in watched if subject not in self.states])
        happenings: list[Happening] = []
        states: dict[Subject, SubjectState] = {}
        for subject in watched:
            program, address = programs[subject], book.address_of(subject)
            assert program is not None and address is not None  # noqa: S101  (watched)
            states[subject], transitions = advance(program, self.states[subject], readings[subject])
            happenings += [Happening(subject, address, one) for one in transitions]
        if happenings or book.invalid:
            with transaction.atomic():
                hold_record(self.number)
                commit(happenings, book, now=timezone.now())
        self.states.update(states)
        self.unsaved.update(states)
        self.unacknowledged += entries

    def _remember(self, subjects: list[Subject]) -> None:
        if not subjects:
            return
        if len(self.states) > MAX_REMEMBERED:
            at_rest = [one for one in self.states if one not in self.unsaved]
            for one in at_rest:
                del self.states[one]
        self.states.update(dict.fromkeys(subjects, SubjectState()))
        self.states.update(load_memory(subjects))

    def take_over_corrections(self, book: RuleBook) -> None:
        """Go on from what history has shown to be so, unless newer readings have come since."""
        found = handed_over(self.number)
        if not found:
            return
        book.learn(found)
        self._remember([subject for subject in found if subject not in self.states])
        happenings: list[Happening] = []
        states: dict[Subject, SubjectState] = {}
        for subject, going_on in found.items():
            state, address = self.states[subject], book.address_of(subject)
            if address is None or (state.mark_time, state.mark_id) != going_on.mark:
                continue
            states[subject] = _going_on(state, going_on)
            happenings += [Happening(subject, address, one) for one in going_on.opened]
        with transaction.atomic():
            hold_record(self.number)
            commit(happenings, book, now=timezone.now())
        self.states.update(states)
        self.unsaved.update(states)
        self.checkpoint()
        for subject in found:
            taken_over(subject, now=timezone.now(), overtaken=subject not in states)

    def checkpoint(self) -> None:
        """Save what changed, then acknowledge what it came from."""
        if self.unsaved:
            changed = {subject: self.states[subject] for subject in self.unsaved}
            with transaction.atomic():
                note_late_spans(changed, now=timezone.now())
                changed = {subject: _noted(state) for subject, state in changed.items()}
                save_memory(changed)
            self.states.update(changed)
        STORED.ack(self.number, GROUP, self.unacknowledged)
        self.unsaved.clear()
        self.unacknowledged.clear()
        self.saved_at = time.monotonic()


def commit(happenings: list[Happening], book: RuleBook, *, now: datetime) -> Recorded:
    """Record what happened, disable the rules that failed, tell the live stream."""
    with transaction.atomic():
        recorded = record(happenings, book, now=now)
        failures = recorded.failed | dict(book.invalid)
        for rule_id, reason in failures.items():
            rules.disable_failed(rule_id=rule_id, reason=reason)
            log.error("rule_failed", rule=rule_id, reason=reason)
        book.invalid.clear()
        announce(recorded)
    return recorded


def _going_on(state: SubjectState, corrected: GoingOn) -> SubjectState:
    """The state with the rules open that history shows to be; those open already stay so."""
    rules = dict(state.rules)
    for rule_id, one in corrected.rules.items():
        if rule_id not in rules or rules[rule_id].phase not in (OPEN, CLEARING):
            rules[rule_id] = replace(one, late=True)
    return replace(state, rules=rules)


def _noted(state: SubjectState) -> SubjectState:
    return state if state.out_of_order is None else replace(state, out_of_order=None)


def _by_subject(entries: Sequence[Entry]) -> dict[Subject, list[Reading]]:
    """Readings of each vehicle and meter in the order in which they were stored."""
    found: dict[Subject, list[Reading]] = {}
    for entry in entries:
        try:
            readings = _decoder.decode(entry.payload)
        except msgspec.DecodeError as error:
            # Written by a newer release, or damaged: it must not stop the partition.
            log.error("stored_entry_unreadable", entry=entry.id, error=str(error))
            continue
        for reading in readings:
            if isinstance(reading, VehicleReading):
                subject = ("v", reading.vehicle_id)
            else:
                subject = ("m", reading.meter_id)
            if subject in found:
                found[subject].append(reading)
            else:
                found[subject] = [reading]
    return found


_partitions: dict[int, Partition] = {}


def _lock(number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_CLASS, number])
        return bool(cursor.fetchone()[0])


def _unlock(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_CLASS, number])


def _take_over(number: int) -> Partition:
    """The partition as this process may believe it."""
    partition = _partitions.setdefault(number, Partition(number))
    owner, made = EvaluationOwner.objects.get_or_create(
        partition=number, defaults={"process": _PROCESS}
    )
    if made or owner.process != _PROCESS:
        partition.forget()
        EvaluationOwner.objects.filter(partition=number).update(process=_PROCESS)
    STORED.ensure_group(number, GROUP)
    return partition


def evaluate(*, for_seconds: float) -> int:
    """Drain every partition that nobody else is draining, for a while. Returns the number of
    partitions that were held; 0: other workers have them all."""
    held = [number for number in range(STORED.partitions) if _lock(number)]
    try:
        partitions = [_take_over(number) for number in held]
        book = RuleBook()
        until = time.monotonic() + for_seconds
        for partition in partitions:
            partition.take_over_corrections(book)
        while partitions and time.monotonic() < until:
            if book.is_outdated():
                book = RuleBook()
            if not sum(partition.drain(book) for partition in partitions):
                time.sleep(settings.ALERTS_IDLE_S)
        for partition in partitions:
            partition.checkpoint()
    finally:
        for number in held:
            _unlock(number)
    return len(held)
