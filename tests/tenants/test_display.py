"""How single values look on pages."""

from __future__ import annotations

import pytest
from django import forms

from tenants.templatetags import display


class Login(forms.Form):
    login = forms.CharField(widget=forms.TextInput(attrs={"placeholder": "E-mail"}))


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (34.02142, "°", "34.02142°"),
        (328.8, "°", "328.8°"),
        (0, "°", "0°"),
        (-6.5, "°", "-6.5°"),
        (12, "", "12"),
        (82.4, "%", "82 %"),
    ],
)
def test_a_reading_has_the_digits_that_mean_something(value: float, unit: str, shown: str) -> None:
    assert display.reading(value, unit) == shown


def test_no_lag_is_told_in_the_unit_of_the_others() -> None:
    told = [display.milliseconds(lag) for lag in (0, 3, 4200, None)]
    assert told == ["0 ms", "3 ms", "4.2 s", "–"]


def test_a_scope_is_told_in_words_and_a_strange_one_as_it_is() -> None:
    assert display.scope_label("telemetry:read") == "Read telemetry and analytics"
    assert display.scope_label("<b>:x") == "<b>:x"


def test_a_label_is_not_repeated_in_its_field() -> None:
    html = display.without_placeholder(Login()["login"])
    assert 'placeholder=""' in html and "E-mail" not in html
