"""Readings run through a subject's program.

Written for the rule that does not fire: a reading is taken apart once for all rules, a rule
whose fields it lacks costs one comparison, and a rule that is clear and stays so leaves no
state behind. `advance` is pure: it returns a new state and never touches the one it got.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alerts.engine.machine import Moment, in_order, out_of_order
from alerts.engine.program import Compiled, Program
from alerts.engine.state import (
    CLEAR,
    CLEARING,
    OPEN,
    RuleState,
    SubjectState,
    Transition,
    replace,
)
from telemetry.records import Reading


def advance(
    program: Program, state: SubjectState, readings: Sequence[Reading]
) -> tuple[SubjectState, list[Transition]]:
    """Run a subject's readings, in the order in which they arrived, through its rules.

    A reading that was run before changes nothing: one not newer than the mark that also did
    not arrive after everything else is a repetition, and is passed over.
    """
    run = _Run(program, state)
    for reading in readings:
        run.take(reading)
    return run.outcome(), run.transitions


class _Run:
    """One call of `advance`: the state taken apart, so that a quiet reading allocates little."""

    __slots__ = (
        "arrived",
        "arrived_ids",
        "carried",
        "derived",
        "mark_id",
        "mark_time",
        "out_of_order",
        "program",
        "rules",
        "transitions",
    )

    def __init__(self, program: Program, state: SubjectState) -> None:
        self.program = program
        self.mark_time = state.mark_time
        self.mark_id = state.mark_id
        self.arrived = state.arrived
        self.arrived_ids = set(state.arrived_ids)
        self.rules = dict(state.rules)
        self.carried = dict(state.carried)
        self.derived = dict(state.derived)
        self.out_of_order = state.out_of_order
        self.transitions: list[Transition] = []
        self._drop_rules_that_left()
        self._drop_what_is_not_followed()

    def _drop_what_is_not_followed(self) -> None:
        if self.derived:
            followed = {one.derived.name for one in self.program.followed}
            for name in self.derived.keys() - followed:
                del self.derived[name]

    def _drop_rules_that_left(self) -> None:
        """A rule that no longer watches this subject is forgotten, except while it is open:
        whoever took it away resolves its alerts."""
        if not self.rules:
            return
        watching = {rule.timing.rule_id for rule in self.program.rules}
        for rule_id in self.rules.keys() - watching:
            del self.rules[rule_id]

    def take(self, reading: Reading) -> None:
        time, reading_id, arrived = reading.time, reading.reading_id, reading.received_at
        is_newest = time > self.mark_time or (
            time == self.mark_time and reading_id > self.mark_id and self.mark_time >= 0
        )
        if not is_newest and (
            arrived < self.arrived
            or (arrived == self.arrived and (time, reading_id) in self.arrived_ids)
        ):
            return
        if arrived > self.arrived:
            self.arrived = arrived
            self.arrived_ids = {(time, reading_id)}
        elif arrived == self.arrived:
            self.arrived_ids.add((time, reading_id))
        values = self.program.read(reading)
        if is_newest:
            self.mark_time, self.mark_id = time, reading_id
            merged = self._carry(values) if self.program.carried else values
            if self.program.followed:
                values, merged = self._derive(values, merged, time)
            self._judge_newest(values, merged, Moment(time, reading_id, arrived))
        else:
            if arrived - time > self.program.lateness:
                first, last = self.out_of_order or (time, time)
                self.out_of_order = (min(first, time), max(last, time))
            if self.program.followed:
                self._hear_late(values, time)
            self._judge_older(values, Moment(time, reading_id, arrived))

    def _carry(self, values: Sequence[Any]) -> Sequence[Any]:
        merged = list(values)
        for place, name in self.program.carried:
            if merged[place] is None:
                merged[place] = self.carried.get(name)
            else:
                self.carried[name] = merged[place]
        return merged

    def _derive(
        self, values: Sequence[Any], merged: Sequence[Any], time: int
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """The same with the derived values in their places."""
        own, known = list(values), list(merged)
        for one in self.program.followed:
            name, value = one.derived.name, values[one.source]
            before = self.derived.get(name, ())
            known[one.place], kept = one.derived.follow(before, time, value)
            if kept is not before:
                self.derived[name] = kept
            if one.derived.concerns(value):
                own[one.place] = known[one.place]
        return own, known

    def _hear_late(self, values: Sequence[Any], time: int) -> None:
        for one in self.program.followed:
            name = one.derived.name
            before = self.derived.get(name, ())
            kept = one.derived.hear_late(before, time, values[one.source])
            if kept is not before:
                self.derived[name] = kept

    def _judge_newest(self, values: Sequence[Any], merged: Sequence[Any], moment: Moment) -> None:
        states = self.rules
        for rule in self.program.rules:
            timing = rule.timing
            state = states.get(timing.rule_id)
            is_open = state is not None and (state.phase == OPEN or state.phase == CLEARING)
            try:
                if not rule.carries:
                    holds = rule.judge(values, is_open)
                elif all(values[place] is None for place in rule.places):
                    continue
                else:
                    holds = rule.judge(merged, is_open)
            except Exception as error:
                self._failed(rule, moment, error)
                continue
            # By far the most frequent case: nothing is the matter, nothing was.
            if holds is None or (
                not holds and not timing.on_edge and (state is None or state.phase == CLEAR)
            ):
                continue
            self._keep(rule, merged, in_order(timing, state, holds, moment))

    def _judge_older(self, values: Sequence[Any], moment: Moment) -> None:
        for rule in self.program.rules:
            if rule.only_in_order:
                continue
            try:
                holds = rule.judge(values, False)
            except Exception as error:
                self._failed(rule, moment, error)
                continue
            if holds is None:
                continue
            state = self.rules.get(rule.timing.rule_id)
            if not holds and state is None:
                continue
            outcome = out_of_order(rule.timing, state, holds, moment, self.mark_time)
            self._keep(rule, values, outcome)

    def _keep(
        self,
        rule: Compiled,
        values: Sequence[Any],
        outcome: tuple[RuleState | None, list[Transition]],
    ) -> None:
        state, transitions = outcome
        if state is None:
            self.rules.pop(rule.timing.rule_id, None)
        else:
            self.rules[rule.timing.rule_id] = state
        for transition in transitions:
            seen = {
                name: values[place]
                for name, place in zip(rule.metrics, rule.places, strict=True)
                if values[place] is not None
            }
            self.transitions.append(replace(transition, values=seen))

    def _failed(self, rule: Compiled, moment: Moment, error: Exception) -> None:
        self.transitions.append(
            Transition(
                change="failed",
                rule_id=rule.timing.rule_id,
                started=moment.time,
                at=moment.time,
                reading_id=moment.reading_id,
                cause=f"{type(error).__name__}: {error}",
            )
        )

    def outcome(self) -> SubjectState:
        return SubjectState(
            mark_time=self.mark_time,
            mark_id=self.mark_id,
            arrived=self.arrived,
            arrived_ids=tuple(self.arrived_ids),
            rules=self.rules,
            carried=self.carried,
            out_of_order=self.out_of_order,
            derived=self.derived,
        )
