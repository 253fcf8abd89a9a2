"""docs/settings.md against what reads the environment."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Read by a library, not by the settings.
ELSEWHERE = {"PROMETHEUS_MULTIPROC_DIR"}
NAME = r"[A-Z][A-Z_]+"


def told(text: str) -> set[str]:
    """The names in the first column of a page's tables."""
    first = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return {name for cell in first for name in re.findall(rf"`({NAME})`", cell)}


def test_it_tells_of_every_setting_and_of_no_other() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    compose = (ROOT / "docker-compose.yml").read_text()
    settings = (ROOT / "config" / "settings.py").read_text()
    read = set(re.findall(rf'env\.\w+\(\s*"({NAME})"', settings))
    handed = set(re.findall(rf"\$\{{({NAME})", compose))
    assert len(read) > 50 and len(handed) > 10
    ours, _, rest = page.partition("### docker compose")
    of_compose, _, others = rest.partition("\n## ")
    assert told(ours + others) == read | ELSEWHERE
    assert told(of_compose) == handed
