"""The map of our own: land is land and sea is sea, also where the world is cut open."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest

from telemetry.ground import MAP_BLOCKS

ROOT = Path(__file__).resolve().parents[2]
Ring = list[list[float]]
BLOCK = 15
SOUTHMOST = -60
HEAVIEST = 600_000
"""Bytes: what a page can take apart without anybody feeling it."""

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
    for feature in shape.get("features", [{"geometry": shape}]):
        lines = feature["geometry"]["coordinates"]
        for each in lines:
            yield from [each] if isinstance(each[0][0], float | int) else each


def block_of(lon: float, lat: float) -> str:
    return f"{int((lon + 180) // BLOCK)}_{int((lat - SOUTHMOST) // BLOCK)}"


def covers(rings: list[Ring], lon: float, lat: float) -> bool:
    """Within an odd number of outlines."""
    inside = False
    for ring in rings:
        for (x1, y1), (x2, y2) in pairwise(ring):
            if (y1 > lat) != (y2 > lat) and lon < x1 + (lat - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
    return inside


def leaps(rings: Iterable[Ring]) -> list[Any]:
    return [
        (before, after)
        for line in rings
        for before, after in pairwise(line)
        # At the pole itself, far below what a map of this kind shows, it has to.
        if abs(before[0] - after[0]) > 90 and abs(before[1]) < 89
    ]


@pytest.mark.parametrize("name", ["land-50m.json", "borders-50m.json"])
def test_nothing_is_drawn_right_across_the_world(built: Path, name: str) -> None:
    assert leaps(outlines(built, name)) == []


def test_land_is_land_and_sea_is_sea(built: Path) -> None:
    rings = list(outlines(built, "land-50m.json"))
    assert [name for name, place in LAND.items() if not covers(rings, *place)] == []
    assert [name for name, place in SEA.items() if covers(rings, *place)] == []


def test_from_near_too(built: Path) -> None:
    for places, is_land in ((LAND, True), (SEA, False)):
        for name, (lon, lat) in places.items():
            if lat < SOUTHMOST:
                continue  # Below what comes in blocks.
            block = json.loads((built / "near" / f"{block_of(lon, lat)}.json").read_text())
            rings = [ring for polygon in block["land"] for ring in polygon]
            assert covers(rings, lon, lat) == is_land, name


def test_each_block_keeps_to_its_place_and_none_is_missing(built: Path) -> None:
    assert {f"near/{path.stem}" for path in (built / "near").iterdir()} == set(MAP_BLOCKS)
    for path in (built / "near").iterdir():
        column, row = map(int, path.stem.split("_"))
        west, south = column * BLOCK - 180, SOUTHMOST + row * BLOCK
        block = json.loads(path.read_text())
        rings = [ring for polygon in block["land"] for ring in polygon]
        places = zip(block["places"]["lon"], block["places"]["lat"], strict=True)
        for lon, lat in chain(*rings, *block["coasts"], *block["borders"], places):
            assert west <= lon <= west + BLOCK, path.name
            assert south <= lat <= south + BLOCK, path.name
        assert path.stat().st_size < HEAVIEST, path.name


def test_no_coast_is_drawn_where_a_block_ends(built: Path) -> None:
    # In the middle of the Sahara four of them meet.
    for name in ("12_5", "12_6", "13_5", "13_6"):
        block = json.loads((built / "near" / f"{name}.json").read_text())
        for line in block["coasts"]:
            for before, after in pairwise(line):
                for axis in (0, 1):
                    along = before[axis] == after[axis] and before[axis] % BLOCK == 0
                    # What is shorter is rounding.
                    assert not along or abs(before[1 - axis] - after[1 - axis]) < 0.05, name


def test_every_place_is_there_once(built: Path) -> None:
    names = json.loads((built / "places.json").read_text())["names"]
    assert "Rabat" in names
    near = json.loads((built / "near" / f"{block_of(-6.84, 34.02)}.json").read_text())["places"]
    assert "Asilah" in near["names"]
    assert "Rabat" not in near["names"]
