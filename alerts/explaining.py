"""Why an alert opened: the samples, the threshold, the hold-off that delayed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext as _

from alerts.engine.clock import shown_seconds
from alerts.engine.comparing import judge_of
from alerts.engine.derived import Age, about
from alerts.engine.metrics import UnknownMetric, extractor, metric
from alerts.engine.spec import InvalidRule, RuleSpec
from alerts.kinds.threshold import Condition, conditions_of
from alerts.models import Alert, AlertTransition, RuleVersion
from alerts.saying import condition_in_words
from telemetry.models import MeterReadingRow, VehicleReadingRow
from tenants.models import Organisation
from tenants.templatetags.display import duration, reading

SHOWN: Final = 24
"""Samples of the table: those that led to the alert, and some after."""
AFTERWARDS: Final = 4

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Sample:
    """A reading the rule looked at; `values` as the table shows them, with whether they are
    beyond their threshold (None: the table cannot tell)."""

    at: datetime
    lag_s: float
    values: list[tuple[str, bool | None]]
    part: str
    """`before`, `holding` (the condition held, the alert waited), `opening`, `after`."""


@dataclass(frozen=True, slots=True)
class Step:
    """A sentence of the explanation, and when."""

    at: datetime | None
    text: str


def steps_of(
    alert: Alert,
    spec: RuleSpec,
    says: str,
    transitions: Iterable[AlertTransition],
    organisation: Organisation,
) -> list[Step]:
    """The story in order; `says` is the condition in words."""
    held = (alert.opened_at - alert.started_at).total_seconds()
    steps = [Step(alert.started_at, _("The condition began to hold: %(says)s.") % {"says": says})]
    if spec.kind == "silence":
        steps = [Step(alert.started_at, _("The last telemetry before the silence."))]
    elif spec.duration_s:
        waits = _("It had to hold for %(time)s before anybody is told.")
        steps.append(Step(None, waits % {"time": shown_seconds(spec.duration_s)}))
    opened = _("The alert opened, %(time)s after it began.") % {"time": duration(held)}
    steps.append(Step(alert.opened_at, opened))
    first = next((step for step in transitions if step.change == "opened"), None)
    if first is not None and first.received_at is not None and first.reading_time is not None:
        lag = (first.received_at - first.reading_time).total_seconds()
        delay = (first.at - first.received_at).total_seconds()
        took = _("The reading arrived %(lag)s after it was taken and was judged %(delay)s later.")
        steps.append(Step(first.at, took % {"lag": duration(lag), "delay": duration(delay)}))
    if alert.late:
        late = _("That was later than %(time)s, so it corrects the record and pages nobody.")
        steps.append(Step(None, late % {"time": shown_seconds(spec.lateness_s)}))
    if alert.resolved_at is not None:
        steps.append(Step(alert.resolved_at, _("It was over.")))
    elif spec.clear_duration_s and spec.kind != "silence":
        ends = _("It resolves by itself once it has been over for %(time)s.")
        steps.append(Step(None, ends % {"time": shown_seconds(spec.clear_duration_s)}))
    return steps


def samples_of(
    alert: Alert, spec: RuleSpec, organisation: Organisation
) -> tuple[list[str], list[Sample]]:
    """Headings and rows of the readings around the opening."""
    names = metrics_of(spec)
    if not names or alert.kind == "p":
        return [], []
    rows = _rows(alert)
    before = list(rows.filter(time__lte=alert.opened_at).order_by("-time")[: SHOWN - AFTERWARDS])
    after = list(rows.filter(time__gt=alert.opened_at).order_by("time")[:AFTERWARDS])
    plain = [one for one in _conditions(spec) if one.derived is None]
    headings = [metric(spec.subject, name).label for name in names]
    return headings, [
        Sample(
            row.time,
            (row.received_at - row.time).total_seconds(),
            [_shown(spec, name, row, plain, organisation) for name in names],
            _part(row.time, alert),
        )
        for row in [*reversed(before), *after]
    ]


def metrics_of(spec: RuleSpec) -> list[str]:
    """Names of what the rule looks at in readings; of a derived value, what it comes from."""
    if spec.kind == "threshold":
        return list(dict.fromkeys(one.of or one.metric for one in _conditions(spec)))
    if spec.kind == "rate_of_change":
        return [spec.params["metric"]]
    return ["lat", "lon"] if spec.kind == "geofence" else []


def _conditions(spec: RuleSpec) -> tuple[Condition, ...]:
    return conditions_of(spec) if spec.kind == "threshold" else ()


def _rows(alert: Alert) -> Any:
    if alert.kind == "v":
        return VehicleReadingRow.objects.filter(vehicle_id=alert.subject_id)
    return MeterReadingRow.objects.filter(meter_id=alert.subject_id)


def _part(at: datetime, alert: Alert) -> str:
    if at < alert.started_at:
        return "before"
    if at < alert.opened_at:
        return "holding"
    return "opening" if at == alert.opened_at else "after"


def _shown(
    spec: RuleSpec,
    name: str,
    row: Any,
    conditions: list[Condition],
    organisation: Organisation,
) -> tuple[str, bool | None]:
    if name == "ingest_lag_s":
        value: Any = (row.received_at - row.time).total_seconds()
    else:
        value = extractor(spec.subject, name)(row)
    if value is None:
        return "–", None
    text = reading(value, metric(spec.subject, name).unit, organisation)
    verdicts = [judge_of(0, c.limit)([value], False) for c in conditions if c.metric == name]
    return text, (any(verdicts) if verdicts else None)


def said_by(version: RuleVersion, called: Mapping[int, str]) -> tuple[str, list[tuple[str, str]]]:
    """Its condition in words and the rest of it; of one that no longer makes sense, why not."""
    try:
        spec = version.spec
        return condition_in_words(spec, called), facts_of(spec)
    except (InvalidRule, UnknownMetric, KeyError) as error:
        return _("It cannot be read: %(why)s") % {"why": error}, []


def facts_of(spec: RuleSpec) -> list[tuple[str, str]]:
    """What a version of a rule says, beside its condition."""
    facts = []
    if spec.kind != "silence":  # it has its own time, and is over when the vehicle speaks
        at_once = _("at once")
        held, over = spec.duration_s, spec.clear_duration_s
        facts.append((_("Must hold for"), shown_seconds(held) if held else at_once))
        facts.append((_("Must be over for"), shown_seconds(over) if over else at_once))
    if spec.cooldown_s:
        facts.append((_("Cooldown"), shown_seconds(spec.cooldown_s)))
    for condition in _conditions(spec):
        if condition.clear is not None:
            seen = about(spec.subject, condition.name)
            label = _("%(metric)s clears at") % {"metric": seen.label}
            is_age = isinstance(condition.derived, Age)
            shown = f"{condition.clear:g} {seen.unit}".strip()
            facts.append((label, shown_seconds(condition.clear) if is_age else shown))
    if spec.schedule:
        facts.append((_("Only"), "; ".join(period_text(period) for period in spec.schedule)))
    if spec.digest:
        facts.append((_("Told"), _("in the daily digest")))
    return facts


def period_text(period: Any) -> str:
    """`Mon Tue 08:00 to 18:00`."""
    days = " ".join(_(WEEKDAYS[day]) for day in sorted(period.days))
    return f"{days} {_clock(period.start)} – {_clock(period.end)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
