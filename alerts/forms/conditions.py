"""What repeats in a rule: its conditions, and the steps of its escalation."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from alerts.engine.clock import shown_seconds
from alerts.engine.comparing import Limit, lies_beyond
from alerts.engine.derived import AGE, RATE
from alerts.engine.metrics import ATTRIBUTE, UnknownMetric, available, metric
from alerts.forms.fields import SecondsField
from alerts.kinds.threshold import WINDOW_S
from alerts.models import Channel
from telemetry.fields import Kind
from tenants.models import Organisation

OPERATORS: Final = [
    (">", _("above")), (">=", _("at or above")), ("<", _("below")), ("<=", _("at or below")),
    ("==", _("equal to")), ("!=", _("other than")),
]  # fmt: skip
ORDERED: Final = (">", ">=", "<", "<=")
ASPECTS: Final = [
    ("", _("its value")), (RATE, _("its change a minute")), (AGE, _("its age")),
]  # fmt: skip
POSITION: Final = "lat"
"""A position is chosen as one thing: only its age can be judged."""
EVERY_READING: Final = ("ingest_lag_s", "charging_without_energy")
"""Derived from the reading itself: they are as old as it is."""
_TRUE: Final = {"true", "yes", "1", "on"}
_FALSE: Final = {"false", "no", "0", "off"}
METERS: Final = "m:"
"""Before the names of meters' metrics in the one list of all."""


def metric_choices() -> list[Any]:
    """Every metric by name, in two groups; attributes are typed."""

    def named(subject: str, before: str) -> list[tuple[str, str]]:
        return [
            (before + each.name, f"{each.label} ({each.unit})" if each.unit else each.label)
            for each in available(subject).values()
            if each.name not in ("lat", "lon")
        ]

    return [
        ("", "–"),
        (_("Vehicles"), [*named("v", ""), (POSITION, _("Position (its age)"))]),
        (_("Meters"), named("m", METERS)),
        (_("Other"), [("attribute", _("An attribute, by name"))]),
    ]


class ConditionForm(forms.Form):
    """One condition of a threshold. `subject` is told by the editor."""

    metric = forms.ChoiceField(label=_("Value"), choices=metric_choices, required=False)
    attribute = forms.CharField(label=_("Attribute"), max_length=64, required=False)
    aspect = forms.ChoiceField(label=_("Look at"), choices=ASPECTS, required=False)
    window = SecondsField(
        label=_("Over"), least=5, most=86_400, required=False, placeholder=shown_seconds(WINDOW_S)
    )
    op = forms.ChoiceField(label=_("Is"), choices=OPERATORS, required=False)
    value = forms.CharField(label=_("Threshold"), max_length=256, required=False)
    clear = forms.CharField(label=_("Clears at"), max_length=40, required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        name = self.metric_name
        if not name:
            return data
        if data.get("value") in (None, ""):
            self.add_error("value", _("Say the threshold."))
            return data
        self._check_aspect(name, data)
        try:
            self._typed(name, data)
        except ValueError as error:
            self.add_error("value", str(error))
        self._check_clear(data)
        return data

    def _check_aspect(self, name: str, data: dict[str, Any]) -> None:
        """Not everything changes by so much a minute, or has an age."""
        aspect = data.get("aspect")
        kind = Kind.NUMBER if name.startswith(ATTRIBUTE) else self._kind(self._subject, name)
        if name == POSITION and aspect != AGE:
            self.add_error("aspect", _("Of a position only its age can be judged."))
        elif aspect == RATE and kind not in (Kind.NUMBER, Kind.INTEGER):
            self.add_error("aspect", _("Only a number changes by so much a minute."))
        elif aspect == AGE and name in EVERY_READING:
            self.add_error("aspect", _("Every reading has it: it has no age."))
        elif aspect and data.get("op") not in ORDERED:
            self.add_error("op", _("Choose above or below."))

    @property
    def metric_name(self) -> str:
        """As the engine knows it; "" where the row was left empty."""
        chosen = self.cleaned_data.get("metric") or ""
        if chosen == "attribute":
            name = self.cleaned_data.get("attribute") or ""
            return ATTRIBUTE + name if name else ""
        return str(chosen).removeprefix(METERS)

    @property
    def _subject(self) -> str:
        return "m" if str(self.cleaned_data.get("metric", "")).startswith(METERS) else "v"

    def _typed(self, name: str, data: dict[str, Any]) -> None:
        """The threshold as a number, as yes or no, or as text, as its metric wants it."""
        text = str(data["value"]).strip()
        kind = Kind.TEXT if name.startswith(ATTRIBUTE) else self._kind(self._subject, name)
        if data.get("aspect") == AGE:
            data["typed"] = _seconds(text)
        elif data.get("aspect") == RATE:
            data["typed"] = _number(text)
        elif kind is Kind.BOOLEAN:
            if text.lower() not in _TRUE | _FALSE:
                raise ValueError(str(_("Write yes or no.")))
            data["typed"] = text.lower() in _TRUE
        elif kind is Kind.TEXT and data.get("op") not in ORDERED:
            data["typed"] = text if not name.startswith(ATTRIBUTE) else _number_or_text(text)
        else:
            data["typed"] = _number(text)

    def _kind(self, subject: str, name: str) -> Kind:
        try:
            return metric(subject, name).kind
        except UnknownMetric:
            return Kind.NUMBER

    def _check_clear(self, data: dict[str, Any]) -> None:
        text, value = str(data.get("clear") or "").strip(), data.get("typed")
        data["clear"] = None
        if not text or value is None:
            return
        if isinstance(value, bool | str) or data.get("op") not in ORDERED:
            self.add_error("clear", _("Only a threshold on a number has one."))
            return
        try:
            data["clear"] = _seconds(text) if data.get("aspect") == AGE else _number(text)
        except ValueError as error:
            self.add_error("clear", str(error))
            return
        if lies_beyond(Limit(data["op"], value, data["clear"])):
            self.add_error("clear", _("It must not lie beyond the threshold."))

    def condition(self) -> dict[str, Any] | None:
        name = self.metric_name
        if not name or "typed" not in self.cleaned_data:
            return None
        data = self.cleaned_data
        made = {"metric": name, "op": data["op"], "value": data["typed"]}
        if data["aspect"]:
            made |= {"metric": data["aspect"], "of": name}
        if data["aspect"] == RATE and data["window"] is not None:
            made["window_s"] = data["window"]
        return made if data["clear"] is None else made | {"clear": data["clear"]}


def _seconds(text: str) -> float:
    """ "10 min", or a number of seconds."""
    try:
        seconds = SecondsField().clean(text)
    except forms.ValidationError as error:
        raise ValueError(error.messages[0]) from None
    return float(seconds or 0)


def _number(text: str) -> float:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        raise ValueError(str(_("Write a number."))) from None
    if number != number or abs(number) == float("inf"):
        raise ValueError(str(_("Write a number.")))
    return number


def _number_or_text(text: str) -> float | str:
    try:
        return _number(text)
    except ValueError:
        return text


class StepForm(forms.Form):
    """Who is told, and after how long. Left empty, it is passed over."""

    after = SecondsField(label=_("After"), required=False)
    channels = forms.MultipleChoiceField(
        label=_("Tell"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, channels: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["channels"].choices = channels  # type: ignore[attr-defined]

    def step(self) -> dict[str, Any] | None:
        chosen = self.cleaned_data.get("channels")
        if not chosen:
            return None
        return {"channels": chosen, "after_minutes": (self.cleaned_data["after"] or 0) // 60}


Conditions = forms.formset_factory(ConditionForm, extra=0, max_num=8, absolute_max=8)
Steps = forms.formset_factory(StepForm, extra=0, max_num=10, absolute_max=10)


def channel_choices(tenant: Organisation) -> list[tuple[str, str]]:
    rows = Channel.objects.for_tenant(tenant).filter(archived_at=None).order_by("name")
    return [(str(pk), name) for pk, name in rows.values_list("public_id", "name")]
