"""The detail of a refusal as people read it."""

from __future__ import annotations

import json

import pytest

from telemetry.adapters import telemetry_v1
from telemetry.envelope import Envelope, Speaker
from telemetry.frames import detail
from telemetry.validate import Limits


def refused(**values: object) -> str:
    reader = telemetry_v1.Reader(
        Envelope(Speaker(1, 1, "v", 1), telemetry_v1.PROTOCOL), "json", Limits(300_000_000, 3650)
    )
    frame = json.dumps({"seq": 1, "time": 1_000, **values}).encode()
    _, [item], _, _ = reader.read(frame, 2_000_000)
    return item.refusal.detail


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"soc_pct": "82"}, "expected a number, got text"),
        ({"satellites": 1.5}, "expected a whole number, got a number"),
        ({"ignition": 1}, "expected true or false, got a whole number"),
        ({"attributes": [1]}, "expected an object, got a list"),
        ({"lat": 91.2, "lon": 2}, "91.2 is not in [-90, 90]"),
    ],
)
def test_it_says_what_is_wrong_in_words(values: dict[str, object], told: str) -> None:
    assert detail(refused(**values)) == told


@pytest.mark.parametrize(
    "text",
    ["", "the time lies in the future", "Expected `", "Expected `x`, got `y` and more", "`" * 500],
)
def test_it_leaves_alone_what_it_does_not_know(text: str) -> None:
    assert detail(text) == text


def test_it_keeps_a_kind_it_has_no_word_for() -> None:
    assert detail("Expected `uuid | null`, got `<b>`") == "expected uuid, got <b>"
