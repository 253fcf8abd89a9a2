"""The rule editor's form: the kinds most wanted, in one page. The API has all of it."""

from __future__ import annotations

from typing import Any

from django import forms

from alerts.engine.metrics import available
from alerts.models import Severity
from fleet.geofences import Geofence
from fleet.models import Fleet
from telemetry.fields import Kind
from tenants.models import Organisation

NUMBERS = (Kind.NUMBER, Kind.INTEGER, Kind.ENERGY)
METRICS = [
    (found.name, f"{found.label} ({found.unit})" if found.unit else found.label)
    for found in available("v").values()
    if found.kind in NUMBERS
]


class RuleForm(forms.Form):
    """`definition()` is what the API takes, for rules about vehicles."""

    name = forms.CharField(max_length=120)
    kind = forms.ChoiceField(
        choices=[
            ("threshold", "A value beyond a threshold"),
            ("silence", "No telemetry"),
            ("geofence", "Geofence"),
            ("device_alarm", "Alarm of the device"),
        ]
    )
    metric = forms.ChoiceField(choices=METRICS, required=False, initial="speed_kmh")
    op = forms.ChoiceField(choices=[(">", "above"), ("<", "below")], required=False)
    value = forms.FloatField(required=False)
    clear = forms.FloatField(required=False, label="Clear threshold")
    after_s = forms.IntegerField(required=False, min_value=10, label="Silent for (s)", initial=300)
    geofence = forms.ChoiceField(required=False)
    event = forms.ChoiceField(
        choices=[("enter", "enters"), ("leave", "leaves"), ("dwell", "dwells in")], required=False
    )
    duration_s = forms.IntegerField(min_value=0, initial=0, label="Must hold for (s)")
    clear_duration_s = forms.IntegerField(min_value=0, initial=0, label="Must be over for (s)")
    cooldown_s = forms.IntegerField(min_value=0, initial=0, label="Cooldown (s)")
    severity = forms.ChoiceField(choices=Severity.choices, initial="medium")
    fleet = forms.ChoiceField(required=False, label="Only the fleet")

    def __init__(self, tenant: Organisation, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, model, nothing in (
            ("geofence", Geofence, "–"),
            ("fleet", Fleet, "Every fleet"),
        ):
            rows = model.objects.for_tenant(tenant).filter(archived_at=None).order_by("name")
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above)
            field.choices = [("", nothing), *rows.values_list("reference", "name")]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        needed = {"threshold": ["metric", "op", "value"], "silence": ["after_s"]}
        needed["geofence"] = ["geofence", "event"]
        for name in needed.get(data.get("kind", ""), []):
            if data.get(name) in (None, ""):
                self.add_error(name, "This kind of rule needs it.")
        return data

    def definition(self) -> dict[str, Any]:
        """Of a valid form."""
        data = self.cleaned_data
        kind = data["kind"]
        common = {
            "kind": kind,
            "severity": data["severity"],
            "duration_s": data["duration_s"],
            "clear_duration_s": data["clear_duration_s"],
            "cooldown_s": data["cooldown_s"],
            "scope": {"fleets": [data["fleet"]] if data["fleet"] else []},
        }
        if kind == "threshold":
            condition = {name: data[name] for name in ("metric", "op", "value", "clear")}
            return common | {"params": {"conditions": [condition]}}
        if kind == "silence":
            return common | {"params": {"after_s": data["after_s"]}}
        if kind == "geofence":
            params = {"geofences": [data["geofence"]], "event": data["event"]}
            return common | {"params": params, "max_gap_s": 0}
        return common | {"params": {}}
