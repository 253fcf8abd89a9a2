"""The rule editor's forms as one: filled from a rule, read back as its definition."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from alerts.engine.clock import shown_seconds
from alerts.engine.derived import AGE
from alerts.engine.metrics import ATTRIBUTE
from alerts.forms.conditions import METERS, Conditions, Steps, channel_choices
from alerts.forms.fields import Periods
from alerts.forms.rule import RuleForm
from tenants.models import Organisation

FRESH: dict[str, Any] = {
    "kind": "threshold",
    "subject": "vehicle",
    "params": {"conditions": [{"metric": "speed_kmh", "op": ">", "value": 100, "clear": None}]},
    "severity": "medium",
    "duration_s": 10,
    "clear_duration_s": 10,
}
"""What a new rule begins with: something whose preview shows at once."""


class RuleForms:
    """`rule` and the three sets of repeated forms. Every set counts from nought: what a
    browser adds or takes away is all new to it."""

    def __init__(
        self, tenant: Organisation, data: QueryDict | None = None, initial: Any = None
    ) -> None:
        kwargs = {"channels": channel_choices(tenant)}
        if data is not None:
            self.rule = RuleForm(tenant, data)
            self.conditions = Conditions(data, prefix="condition")
            self.periods = Periods(data, prefix="period")
            self.steps = Steps(data, prefix="step", form_kwargs=kwargs)
            return
        name, definition = initial or ("", FRESH)
        self.rule = RuleForm(tenant, initial={"name": name, **_filled(definition)})
        self.conditions = Conditions(initial=_conditions(definition), prefix="condition")
        self.periods = Periods(initial=definition.get("schedule", []), prefix="period")
        self.steps = Steps(initial=_steps(definition), prefix="step", form_kwargs=kwargs)

    @property
    def sets(self) -> list[Any]:
        return [self.conditions, self.periods, self.steps]

    def is_valid(self) -> bool:
        sound = [self.rule.is_valid(), *(each.is_valid() for each in self.sets)]
        if not all(sound):
            return False
        if self.rule.cleaned_data["kind"] == "threshold" and not any(
            form.condition() for form in self.conditions
        ):
            self.rule.add_error("kind", "Write at least one condition.")
            return False
        return True

    def definition(self) -> dict[str, Any]:
        """Of valid forms, as the API takes it."""
        return self.rule.definition(self.conditions, self.periods, self.steps)

    def refuse(self, field: str | None, detail: str) -> None:
        """Show a refusal of the service at the field it is about, else above the form."""
        known = {
            "scope.fleets": "fleets", "scope.vehicles": "subjects", "scope.meters": "subjects",
            "params.geofences": "geofences", "name": "name",
        }  # fmt: skip
        self.rule.add_error(known.get(field or ""), detail)


def _filled(definition: dict[str, Any]) -> dict[str, Any]:
    """The form's values of a definition as the API shows it."""
    params = definition.get("params", {})
    kind, subject = definition["kind"], definition.get("subject", "vehicle")
    scope = definition.get("scope", {})
    filled = {
        "kind": kind,
        "subject": subject,
        "severity": definition.get("severity", "medium"),
        "match": params.get("match", "all"),
        "after": params.get("after_s", 300),
        "event": params.get("event", "enter"),
        "geofences": params.get("geofences", []),
        "margin_m": params.get("margin_m", 25),
        "alarms": params.get("alarms", []),
        "threshold_s": _whole(params.get("threshold_s", 30)),
        "clear_s": _whole(params.get("clear_s")),
        "window": params.get("window_s", 300),
        "fleets": scope.get("fleets", []),
        "subjects": scope.get("vehicles" if subject == "vehicle" else "meters", []),
        "tags": scope.get("tags", []),
        "digest": definition.get("digest", False),
        "lateness": definition.get("lateness_s", 120),
        "max_gap": definition.get("max_gap_s", 600),
    }
    for name in ("duration", "clear_duration", "cooldown"):
        filled[name] = definition.get(f"{name}_s", 0)
    if kind == "rate_of_change":
        chosen, attribute = _chosen(subject, params["metric"])
        filled |= {
            "rate_metric": chosen, "rate_attribute": attribute, "rate_op": params["op"],
            "per_minute": params["per_minute"], "rate_clear": params.get("clear"),
        }  # fmt: skip
    return filled


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def _chosen(subject: str, name: str) -> tuple[str, str]:
    """Of the list of metrics, and the name of an attribute."""
    if name.startswith(ATTRIBUTE):
        return "attribute", name.removeprefix(ATTRIBUTE)
    return (METERS + name if subject == "meter" else name), ""


def _conditions(definition: dict[str, Any]) -> list[dict[str, Any]]:
    subject = definition.get("subject", "vehicle")
    filled = []
    for condition in definition.get("params", {}).get("conditions", []):
        of, clear = condition.get("of"), condition.get("clear")
        chosen, attribute = _chosen(subject, of or condition["metric"])
        shown = shown_seconds if condition["metric"] == AGE else _plain
        filled.append(
            {
                "metric": chosen,
                "attribute": attribute,
                "aspect": condition["metric"] if of else "",
                "window": condition.get("window_s"),
                "op": condition["op"],
                "value": shown(condition["value"]),
                "clear": None if clear is None else shown(clear),
            }
        )
    return filled


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _steps(definition: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"channels": step["channels"], "after": step.get("after_minutes", 0) * 60}
        for step in definition.get("steps", [])
    ]
