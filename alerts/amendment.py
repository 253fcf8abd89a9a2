"""One subject's alerts on record, held against the episodes that history shows.

Missing ones are added, marked late; late ones get the times and values of history, and go
where history does not bear them out. An alert that somebody was told of gets a note instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from alerts.engine.state import Transition, replace
from alerts.episodes import NEVER, Episode
from alerts.models import Alert, AlertState, AlertTransition, LateSpan
from alerts.recording import Happening, Recorded, new_alert, new_step, plain
from alerts.rulebook import RuleBook, Subject
from telemetry.clock import from_us


def _touch(alert: Alert, episode: Episode) -> bool:
    return alert.started_at <= episode.ended and (alert.resolved_at or NEVER) >= episode.started


def _is_open(alert: Alert) -> bool:
    return alert.state != AlertState.RESOLVED


class Amendment:
    """What is to change of one vehicle or meter, until `write`."""

    def __init__(self, book: RuleBook, subject: Subject, begins: datetime) -> None:
        self.book = book
        self.subject = subject
        self.begins = begins
        """Of what began before, history has not been read from its beginning."""
        self.now = timezone.now()
        self.going_on: list[Transition] = []
        """Of episodes that are not on record and last: the evaluation opens those."""
        self.made: list[Alert] = []
        self.changed: list[Alert] = []
        self.withdrawn: list[Alert] = []
        self.steps: list[AlertTransition] = []

    def correct(
        self, on_record: Sequence[Alert], episodes: Sequence[Episode], span: LateSpan
    ) -> None:
        """Hold one rule's alerts against its episodes, both in the order of their beginning."""
        left = list(on_record)
        starts = {episode.started for episode in episodes}
        # The last first: an open alert must not be taken for an earlier episode.
        for episode in reversed(episodes):
            mine = [
                alert
                for alert in left
                if alert.episode_at == episode.started
                or (_touch(alert, episode) and (_is_open(alert) or alert.episode_at not in starts))
            ]
            told = [alert for alert in mine if not alert.late]
            kept = told or self._late_one(mine, episode)
            for alert in told:
                self._note_difference(alert, episode)
            if not kept:
                self._add(episode)
            self.withdrawn += [alert for alert in mine if alert not in kept]
            left = [alert for alert in left if alert not in mine or alert in told]
        self.withdrawn += [
            alert
            for alert in left
            if alert.late
            and alert.started_at <= span.until
            and (alert.resolved_at or NEVER) >= span.since
        ]

    def _late_one(self, mine: Sequence[Alert], episode: Episode) -> list[Alert]:
        """The late alert that stands for this episode, with its times and values set right."""
        if episode.resolved is None:
            mine = [alert for alert in mine if _is_open(alert)]
        if not mine:
            return []
        by_fit = sorted(
            mine,
            key=lambda one: (not _is_open(one), one.episode_at != episode.started),
        )
        alert = by_fit[0]
        if alert.started_at < self.begins:
            return [alert]
        fields: dict[str, Any] = {
            "started_at": episode.started,
            "opened_at": from_us(episode.opened.at),
            "values": plain(episode.opened.values),
        }
        if not _is_open(alert) and episode.resolved is not None:
            fields["resolved_at"] = episode.ended
        if any(getattr(alert, name) != value for name, value in fields.items()):
            for name, value in fields.items():
                setattr(alert, name, value)
            alert.updated_at = self.now
            self.changed.append(alert)
            self._step(alert, episode.opened, "annotated", "corrected")
        return [alert]

    def _note_difference(self, alert: Alert, episode: Episode) -> None:
        differs = alert.started_at != episode.started or (
            alert.resolved_at is not None and alert.resolved_at != episode.ended
        )
        if differs and alert.started_at >= self.begins:
            self._step(alert, episode.opened, "annotated", "history_differs")

    def _add(self, episode: Episode) -> None:
        if episode.resolved is None:
            values = plain(episode.opened.values)
            self.going_on.append(replace(episode.opened, late=True, values=values))
            return
        rule = self.book.rules[episode.opened.rule_id]
        address = self.book.address_of(self.subject)
        assert address is not None  # noqa: S101  (looked up by the caller)
        late = replace(episode.opened, late=True)
        alert = new_alert(Happening(self.subject, address, late), rule, self.book)
        alert.state, alert.resolved_at = AlertState.RESOLVED, episode.ended
        self.made.append(alert)
        self._step(alert, late, "opened", "")
        self._step(alert, replace(episode.resolved, late=True), "resolved", "")

    def _step(self, alert: Alert, transition: Transition, change: str, note: str) -> None:
        said = replace(transition, cause=note)
        self.steps.append(new_step(alert, said, change=change, at=self.now))

    def write(self) -> Recorded:
        """Call inside a transaction."""
        gone = self._take_back()
        taken = set(
            Alert.unscoped.filter(
                kind=self.subject[0],
                subject_id=self.subject[1],
                rule_id__in={alert.rule_id for alert in self.made},
                episode_at__in={alert.episode_at for alert in self.made},
            ).values_list("rule_id", "episode_at")
        )
        made = [alert for alert in self.made if (alert.rule_id, alert.episode_at) not in taken]
        Alert.unscoped.bulk_create(made)
        fields = ["started_at", "opened_at", "resolved_at", "values", "updated_at"]
        Alert.unscoped.bulk_update(self.changed, fields, batch_size=500)
        steps = [step for step in self.steps if step.alert.pk is not None]
        for step in steps:
            step.alert_id = step.alert.pk
        AlertTransition.unscoped.bulk_create(steps, ignore_conflicts=True)
        return Recorded(
            events=[("alert.withdrawn", alert) for alert in gone]
            + [("alert.resolved", alert) for alert in made]
            + [("alert.updated", alert) for alert in self.changed]
        )

    def _take_back(self) -> list[Alert]:
        """Delete late alerts that nobody has touched; the others get a note, once. One that is
        still open is the evaluation's."""
        over = {alert.pk: alert for alert in self.withdrawn if not _is_open(alert)}
        touched = set(
            Alert.unscoped.filter(pk__in=over)
            .filter(
                Q(transitions__actor_label__gt="")
                | Q(assignee__isnull=False)
                | Q(deliveries__isnull=False)
            )
            .values_list("pk", flat=True)
        )
        for pk in touched:
            self._note_withdrawn(over[pk])
        Alert.unscoped.filter(pk__in=over.keys() - touched).delete()
        return [alert for pk, alert in over.items() if pk not in touched]

    def _note_withdrawn(self, alert: Alert) -> None:
        self.steps.append(
            AlertTransition(
                tenant_id=alert.tenant_id,
                alert=alert,
                change="annotated",
                at=self.now,
                reading_time=alert.started_at,
                late=True,
                note="not_in_history",
            )
        )
