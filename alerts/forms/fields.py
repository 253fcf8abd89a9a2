"""Fields that people fill in as they would say it: "5 min", "08:00", "Mon Tue"."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from alerts.engine.clock import shown_seconds

_UNITS: Final = {
    "": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hour": 3600, "hours": 3600,
    "d": 86_400, "day": 86_400, "days": 86_400,
}  # fmt: skip
_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]*)")
LONGEST: Final = 30 * 86_400

WEEKDAYS: Final = [
    (0, _("Mon")), (1, _("Tue")), (2, _("Wed")), (3, _("Thu")), (4, _("Fri")), (5, _("Sat")),
    (6, _("Sun")),
]  # fmt: skip


class SecondsField(forms.CharField):
    """A time span: "90", "90 s", "5 min", "2 h 30 min". Its value is whole seconds."""

    def __init__(
        self, *, least: int = 0, most: int = LONGEST, placeholder: str = "", **kwargs: Any
    ) -> None:
        self.least, self.most = least, most
        attrs = {"inputmode": "text", "autocomplete": "off", "spellcheck": "false", "size": "8"}
        if placeholder:
            attrs["placeholder"] = placeholder
        kwargs.setdefault("max_length", 40)
        super().__init__(widget=forms.TextInput(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> int | None:
        text = str(super().clean(value)).strip().lower()
        if not text:
            return None
        parts = _PART.findall(text)
        if _PART.sub("", text).strip() or any(unit not in _UNITS for _number, unit in parts):
            raise forms.ValidationError(_("Write a time such as 90 s, 5 min or 2 h."))
        seconds = round(sum(float(number) * _UNITS[unit] for number, unit in parts))
        if not self.least <= seconds <= self.most:
            bounds = {"least": shown_seconds(self.least), "most": shown_seconds(self.most)}
            raise forms.ValidationError(_("From %(least)s to %(most)s.") % bounds)
        return seconds

    def prepare_value(self, value: Any) -> Any:
        return shown_seconds(value) if isinstance(value, int) else value


class MinuteField(forms.CharField):
    """The clock on the wall, "08:00" to "24:00". Its value is minutes since midnight."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"inputmode": "numeric", "autocomplete": "off", "size": "5"}
        super().__init__(max_length=5, widget=forms.TextInput(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> int | None:
        text = str(super().clean(value)).strip()
        if not text:
            return None
        match = re.fullmatch(r"(\d{1,2})[:.]?(\d\d)?", text)
        minute = int(match[1]) * 60 + int(match[2] or 0) if match else -1
        if match is None or int(match[2] or 0) > 59 or minute > 1440:
            raise forms.ValidationError(_("Write a time of day such as 08:00."))
        return minute

    def prepare_value(self, value: Any) -> Any:
        return f"{value // 60:02}:{value % 60:02}" if isinstance(value, int) else value


class WordsField(forms.CharField):
    """Names with commas between them. Its value is a list."""

    def clean(self, value: Any) -> list[str]:
        text = str(super().clean(value))
        return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value


class PeriodForm(forms.Form):
    """A part of every week. Left empty, it is passed over."""

    days = forms.TypedMultipleChoiceField(
        label=_("Days"),
        choices=WEEKDAYS,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    start = MinuteField(label=_("From"), required=False)
    end = MinuteField(label=_("To"), required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        start, end = data.get("start"), data.get("end")
        if any([data.get("days"), start is not None, end is not None]):
            if not data.get("days") and "days" not in self.errors:
                self.add_error("days", _("Choose at least one day."))
            if (start or 0) >= (1440 if end is None else end) and not self.errors:
                self.add_error("end", _("It must end after it starts; past midnight, add another."))
        return data

    def period(self) -> dict[str, Any] | None:
        data = self.cleaned_data
        if not data.get("days"):
            return None
        start, end = data["start"] or 0, 1440 if data["end"] is None else data["end"]
        return {"days": sorted(data["days"]), "start": start, "end": end}


def periods_of(formset: Any) -> list[dict[str, Any]]:
    return [period for form in formset if (period := form.period()) is not None]


Periods = forms.formset_factory(PeriodForm, extra=0, max_num=14, absolute_max=14)
