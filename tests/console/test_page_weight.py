"""No page weighs more than 200 KB on the wire besides the map library: counted as loaded cold."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.urls import reverse

from telemetry.templatetags.frontend import PACKAGES
from tenants.models import Role
from tests.console.conftest import Company
from tests.console.test_vehicle_pages import DAY, drive

MOST = 200 * 1024
MAP_LIBRARY = re.compile(r"npm/maplibre-gl")
ASSET = re.compile(r'(?:src|href)="/static/([^"?]+)"')
IMPORT = re.compile(r"""(?:from|import)\s*\(?["']([\w./-]+)["']""")
FONT = re.compile(r"url\([\"']?\.\./(npm/[\w.]+)")
PAGES = ["live", "vehicle", "vehicle-readings", "energy", "quality", "operations", "vehicles"]


def weight(data: bytes) -> int:
    return len(gzip.compress(data, 6))


def source(path: str) -> Path:
    found = finders.find(re.sub(r"\.[0-9a-f]{12}(\.\w+)$", r"\1", path))
    assert found, path
    return Path(found)


def loaded(html: str) -> Iterator[str]:
    """Every static file a browser fetches for it, modules with all that they import."""
    waiting, seen = ASSET.findall(html), set()
    while waiting:
        path = waiting.pop()
        if path in seen or MAP_LIBRARY.search(path):
            continue
        seen.add(path)
        yield path
        text = source(path).read_text() if path.endswith(("js", "css")) else ""
        if path.endswith("mjs"):
            for name in IMPORT.findall(text):
                own = f"js/{name.removeprefix('outrider/')}.mjs"
                waiting.append(PACKAGES.get(name, own))
        waiting += FONT.findall(text)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light(company: Company, name: str) -> None:
    if not (settings.BASE_DIR / "node_modules" / "uplot").exists():
        pytest.skip("the front-end packages are not installed")
    drive(company, 60)
    ids: dict[str, Any] = {"vehicle_id": "V1"} if name.startswith("vehicle-") else {}
    ids = {"vehicle_id": "V1"} if name == "vehicle" else ids
    answer = company.browser(Role.OWNER).get(reverse(name, kwargs=ids) + f"?day={DAY}")
    assert answer.status_code == 200
    files = {path: source(path).read_bytes() for path in loaded(answer.content.decode())}
    parts = {
        # A font is compressed already.
        path: len(data) if path.endswith("woff2") else weight(data)
        for path, data in files.items()
    }
    parts["the page"] = weight(answer.content)
    heaviest = sorted(parts.items(), key=lambda part: -part[1])[:5]
    assert len(parts) > 5, "it follows what pages load"
    assert sum(parts.values()) < MOST, (sum(parts.values()), heaviest)
