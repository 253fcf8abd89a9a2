"""The way of the last hour as the live map draws it: a colour for each pace, nothing in gaps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.telemetry.test_patches import ROOT, in_node

MINUTE = 60_000_000
MODULE = (ROOT / "static/js/live/way.mjs").as_uri()


def lines_of(way: list[list[Any]]) -> Any:
    script = (
        f"import {{ linesOf }} from '{MODULE}';\n"
        "const answer = (way) => linesOf(way, { scale: 10, left: 1, top: 2 });"
    )
    return in_node(script, [way])[0]


@pytest.mark.parametrize(
    ("kmh", "pace"),
    [(None, 0), (0, 0), (2.9, 0), (3, 1), (29, 1), (30, 2), (60, 3), (89.9, 3), (90, 4), (300, 4),
     (-5, 0)],
)  # fmt: skip
def test_a_speed_has_one_pace(kmh: float | None, pace: int) -> None:
    script = f"import {{ paceOf }} from '{MODULE}';\nconst answer = (kmh) => paceOf(kmh);"
    assert in_node(script, [kmh]) == [f"pace-{pace}"]


def test_a_change_of_pace_goes_on_where_the_last_one_ended() -> None:
    way = [[0, 0, 0, 20], [MINUTE, 1, 0, 20], [2 * MINUTE, 2, 0, 100]]
    assert lines_of(way) == [
        {"pace": "pace-1", "from": [1, 2], "to": [11, 2]},
        {"pace": "pace-4", "from": [11, 2], "to": [21, 2]},
    ]


def test_what_was_not_reported_is_not_drawn_as_driven() -> None:
    way = [[0, 0, 0, 20], [MINUTE, 1, 0, 20], [9 * MINUTE, 5, 0, 20], [10 * MINUTE, 6, 0, 20]]
    assert lines_of(way) == [
        {"pace": "pace-1", "from": [1, 2], "to": [11, 2]},
        {"pace": "pace-1", "from": [51, 2], "to": [61, 2]},
    ]


def test_where_it_stands_is_one_point_however_often_it_says_so() -> None:
    standing: list[list[Any]] = [[n * MINUTE, 1 + n % 2 * 0.1, 0, 0] for n in range(1, 60)]
    way = [[0, 0, 0, 20], *standing, [60 * MINUTE, 2, 0, 40]]
    assert lines_of(way) == [
        {"pace": "pace-0", "from": [1, 2], "to": [12, 2]},
        {"pace": "pace-2", "from": [12, 2], "to": [21, 2]},
    ]
