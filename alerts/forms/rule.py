"""The rule editor's form: every kind, in the words of the API, errors beside the fields."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from alerts.engine.metrics import ATTRIBUTE
from alerts.forms.conditions import METERS, metric_choices
from alerts.forms.fields import SecondsField, WordsField, periods_of
from alerts.kinds import KINDS
from alerts.models import Severity
from alerts.rules import PLATFORM
from fleet.geofences import Geofence
from fleet.models import Fleet
from tenants.models import Organisation


class RuleForm(forms.Form):
    """All but what repeats. `definition()` is what the API takes."""

    name = forms.CharField(label=_("Name"), max_length=120)
    subject = forms.ChoiceField(
        label=_("Watches"), choices=[("vehicle", _("Vehicles")), ("meter", _("Meters"))]
    )
    kind = forms.ChoiceField(label=_("Kind"), widget=forms.RadioSelect)
    severity = forms.ChoiceField(
        label=_("Severity"), choices=list(reversed(Severity.choices)), initial="medium"
    )
    match = forms.ChoiceField(
        label=_("Opens when"),
        choices=[("all", _("all of these hold")), ("any", _("any of these holds"))],
        required=False,
    )
    after = SecondsField(label=_("Silent for"), least=10, required=False)
    rate_metric = forms.ChoiceField(label=_("Value"), choices=metric_choices, required=False)
    rate_attribute = forms.CharField(label=_("Attribute"), max_length=64, required=False)
    rate_op = forms.ChoiceField(
        label=_("Changes by"), choices=[(">", _("more than")), ("<", _("less than"))],
        required=False,
    )  # fmt: skip
    per_minute = forms.FloatField(label=_("A minute"), required=False)
    rate_clear = forms.FloatField(label=_("Clears at (a minute)"), required=False)
    window = SecondsField(label=_("Over a window of"), least=5, most=86_400, required=False)
    geofences = forms.MultipleChoiceField(
        label=_("Geofences"), required=False, widget=forms.CheckboxSelectMultiple
    )
    event = forms.ChoiceField(
        label=_("When a vehicle"),
        choices=[("enter", _("enters")), ("leave", _("leaves")), ("dwell", _("dwells in one"))],
        required=False,
    )
    margin_m = forms.FloatField(
        label=_("Margin (m)"), min_value=0, max_value=10_000, required=False,
        help_text=_("Outside means further away than this: a position that trembles is one alert."),
    )  # fmt: skip
    alarms = WordsField(
        label=_("Alarms"), max_length=500, required=False,
        help_text=_("Names with commas between them; empty: every alarm."),
    )  # fmt: skip
    threshold_s = SecondsField(label=_("Behind by"), least=1, required=False)
    clear_s = SecondsField(label=_("Clears at"), required=False)
    duration = SecondsField(
        label=_("Must hold for"), required=False,
        help_text=_("A single sample opens nothing where this is set."),
    )  # fmt: skip
    clear_duration = SecondsField(
        label=_("Must be over for"), required=False,
        help_text=_("A flapping signal stays one alert."),
    )  # fmt: skip
    cooldown = SecondsField(
        label=_("Cooldown"), required=False, help_text=_("Before it may open again.")
    )
    lateness = SecondsField(
        label=_("Late after"), least=1, required=False,
        help_text=_("A reading that arrives later corrects the record and pages nobody."),
    )  # fmt: skip
    max_gap = SecondsField(
        label=_("Longest gap"), required=False,
        help_text=_("Readings further apart do not prove that it held between; 0: they do."),
    )  # fmt: skip
    fleets = forms.MultipleChoiceField(
        label=_("Fleets"), required=False, widget=forms.CheckboxSelectMultiple
    )
    subjects = WordsField(label=_("Single vehicles or meters, by id"), max_length=8000,
                          required=False)  # fmt: skip
    tags = WordsField(label=_("Tags"), max_length=2000, required=False)
    digest = forms.BooleanField(
        label=_("Tell in the daily digest instead (low severity only)"), required=False
    )

    def __init__(self, tenant: Organisation, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [k for k in KINDS.values() if not k.for_staff or tenant.slug == PLATFORM]
        self._choose("kind", [(kind.key, _(kind.label)) for kind in kinds])
        for name, model in (("geofences", Geofence), ("fleets", Fleet)):
            rows = model.objects.for_tenant(tenant).filter(archived_at=None).order_by("name")
            self._choose(name, list(rows.values_list("reference", "name")))

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        needed = {
            "silence": ["after"],
            "rate_of_change": ["rate_metric", "rate_op", "per_minute"],
            "geofence": ["geofences", "event"],
            "ingest_lag": ["threshold_s"],
        }
        for name in needed.get(data.get("kind", ""), []):
            if data.get(name) in (None, "", []) and name not in self.errors:
                self.add_error(name, _("This kind of rule needs it."))
        dwells = data.get("kind") == "geofence" and data.get("event") == "dwell"
        if dwells and not data.get("duration") and "duration" not in self.errors:
            self.add_error("duration", _("Say how long it dwells."))
        typed = data.get("kind") == "rate_of_change" and data.get("rate_metric") == "attribute"
        if typed and not data.get("rate_attribute"):
            self.add_error("rate_attribute", _("Say which."))
        if data.get("digest") and data.get("severity") != "low":
            self.add_error("severity", _("Only low severity waits for the digest."))
        return data

    def definition(self, conditions: Any, periods: Any, steps: Any) -> dict[str, Any]:
        """Of valid forms, as the API takes it."""
        data = self.cleaned_data
        noun = "vehicles" if data["subject"] == "vehicle" else "meters"
        made: dict[str, Any] = {
            "kind": data["kind"],
            "subject": data["subject"],
            "params": self._params(conditions),
            "severity": data["severity"],
            "schedule": periods_of(periods),
            "scope": {"fleets": data["fleets"], noun: data["subjects"], "tags": data["tags"]},
            "steps": [step for form in steps if (step := form.step()) is not None],
            "digest": data["digest"],
        }
        timing = ["duration", "clear_duration", "cooldown", "lateness", "max_gap"]
        if data["kind"] == "silence":
            timing = ["cooldown"]  # it has its own time, and readings do not judge it
        made |= {f"{name}_s": data[name] for name in timing if data[name] is not None}
        return KINDS[data["kind"]].defaults | made

    def _params(self, conditions: Any) -> dict[str, Any]:
        """What is as the kind has it anyway is left out: saving unchanged changes nothing."""
        data = self.cleaned_data
        match data["kind"]:
            case "threshold":
                made = [one for form in conditions if (one := form.condition()) is not None]
                return {"conditions": made} | ({"match": "any"} if data["match"] == "any" else {})
            case "silence":
                return {"after_s": data["after"]}
            case "rate_of_change":
                name = data["rate_metric"].removeprefix(METERS)
                if name == "attribute":
                    name = ATTRIBUTE + data["rate_attribute"]
                rate = {"metric": name, "op": data["rate_op"], "per_minute": data["per_minute"]}
                return rate | _said(window_s=data["window"], clear=data["rate_clear"])
            case "geofence":
                fences = {"geofences": data["geofences"], "event": data["event"]}
                return fences | _said(margin_m=data["margin_m"])
            case "device_alarm":
                return {"alarms": data["alarms"]} if data["alarms"] else {}
            case _:
                return {"threshold_s": data["threshold_s"]} | _said(clear_s=data["clear_s"])


def _said(**fields: Any) -> dict[str, Any]:
    """Those that were filled in."""
    return {name: value for name, value in fields.items() if value is not None}
