"""The map of our own: land is land and sea is sea, also where the world is cut open."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Ring = list[list[float]]

LAND = {
    "Chukotka, west of the cut": (178.0, 67.5),
    "Chukotka, beyond it": (-173.5, 66.6),
    "Vanua Levu of Fiji, at the cut": (179.2, -16.6),
    "Rabat": (-6.7, 33.9),
    "Greenland": (-42.0, 72.0),
    "the Antarctic": (0.0, -80.0),
}
SEA = {
    "the north Atlantic": (-30.0, 52.0),
    "off Iceland, at the height of Chukotka": (-32.0, 66.0),
    "between Jan Mayen and Norway, at the height of Wrangel": (2.0, 71.0),
    "the south Atlantic, at the height of Fiji": (-20.0, -16.6),
    "the Pacific at the cut": (-179.0, 10.0),
    "the Caspian": (51.0, 42.0),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    node = shutil.which("node")
    if node is None or not (ROOT / "node_modules" / "world-atlas").exists():
        pytest.skip("needs node and the front-end packages, which make setup brings")
    folder = tmp_path_factory.mktemp("map")
    subprocess.run([node, "scripts/build_map.mjs", folder], cwd=ROOT, check=True, timeout=300)
    return folder


def outlines(folder: Path, name: str) -> Iterator[Ring]:
    shape: dict[str, Any] = json.loads((folder / name).read_text())
    for feature in shape.get("features", [shape]):
        lines = feature["geometry"]["coordinates"]
        for each in lines:
            yield from [each] if isinstance(each[0][0], float | int) else each


def covers(rings: list[Ring], lon: float, lat: float) -> bool:
    """Within an odd number of outlines."""
    inside = False
    for ring in rings:
        for (x1, y1), (x2, y2) in pairwise(ring):
            if (y1 > lat) != (y2 > lat) and lon < x1 + (lat - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
    return inside


@pytest.mark.parametrize("detail", ["50m", "10m"])
def test_nothing_is_drawn_right_across_the_world(built: Path, detail: str) -> None:
    for name in (f"land-{detail}.json", f"borders-{detail}.json"):
        leaps = [
            (before, after)
            for line in outlines(built, name)
            for before, after in pairwise(line)
            # At the pole itself, far below what a map of this kind shows, it has to.
            if abs(before[0] - after[0]) > 90 and abs(before[1]) < 89
        ]
        assert leaps == [], name


@pytest.mark.parametrize("detail", ["50m", "10m"])
def test_land_is_land_and_sea_is_sea(built: Path, detail: str) -> None:
    rings = list(outlines(built, f"land-{detail}.json"))
    assert [name for name, place in LAND.items() if not covers(rings, *place)] == []
    assert [name for name, place in SEA.items() if covers(rings, *place)] == []
