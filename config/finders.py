"""Static files from the front-end packages: only those named here, nothing else of
`node_modules`, and the map that set-up built.

ES modules are served as `.mjs`: Django's manifest storage rewrites source-map comments in
`.js` files and fails on maps that are not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

from telemetry.ground import MAP_BLOCKS, MAP_FILES

_MAP = ".outrider/static/map"
PUBLISHED = {
    "npm/maplibre-gl.mjs": "node_modules/maplibre-gl/dist/maplibre-gl.mjs",
    "npm/maplibre-gl-shared.mjs": "node_modules/maplibre-gl/dist/maplibre-gl-shared.mjs",
    "npm/maplibre-gl-worker.mjs": "node_modules/maplibre-gl/dist/maplibre-gl-worker.mjs",
    "npm/maplibre-gl.css": "node_modules/maplibre-gl/dist/maplibre-gl.css",
    "npm/htmx.mjs": "node_modules/htmx.org/dist/htmx.esm.min.js",
    # Its only small build is a classic script.
    "npm/uplot.js": "node_modules/uplot/dist/uPlot.iife.min.js",
    "npm/terra-draw.mjs": "node_modules/terra-draw/dist/terra-draw.modern.js",
    "npm/terra-draw-maplibre.mjs": (
        "node_modules/terra-draw-maplibre-gl-adapter/dist/terra-draw-maplibre-gl-adapter.modern.js"
    ),
    "npm/uplot.css": "node_modules/uplot/dist/uPlot.min.css",
    "npm/inter.woff2": (
        "node_modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2"
    ),
    **{f"map/{name}.json": f"{_MAP}/{name}.json" for name in (*MAP_FILES, *MAP_BLOCKS)},
}
"""Published path → path in the checkout."""


class _PublishedFiles(FileSystemStorage):
    def path(self, name: str) -> str:
        return str(Path(settings.BASE_DIR) / PUBLISHED[name])


class PublishedPackages(BaseFinder):
    """Finds what `PUBLISHED` names and set-up has installed or built."""

    storage = _PublishedFiles()

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        found = [self.storage.path(path)] if path in PUBLISHED and self._is_there(path) else []
        return found if find_all else (found[0] if found else [])

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Any]]:
        for path in PUBLISHED:
            if self._is_there(path):
                yield path, self.storage

    def _is_there(self, path: str) -> bool:
        return Path(self.storage.path(path)).is_file()
