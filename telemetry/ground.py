"""The ground under the maps of the pages: where their modules find it."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from django.conf import settings
from django.templatetags.static import static

MAP_FILES: Final = ("land-50m", "borders-50m", "places")
MAP_BLOCKS: Final = tuple(f"near/{column}_{row}" for column in range(24) for row in range(10))
"""What is seen only from near, by the blocks of the grid of `scripts/build_map.mjs`."""


def map_settings() -> dict[str, Any]:
    """Addresses: of the configured styles, and of our own map's files."""
    return {
        "light": settings.MAP_STYLE_URL,
        "dark": settings.MAP_STYLE_DARK_URL,
        "worker": static("npm/maplibre-gl-worker.mjs"),
        "css": static("npm/maplibre-gl.css"),
        "files": _files(),
    }


@cache
def _files() -> dict[str, Any]:
    near = {name.removeprefix("near/"): static(f"map/{name}.json") for name in MAP_BLOCKS}
    return {name: static(f"map/{name}.json") for name in MAP_FILES} | {"near": near}
