"""What pages need to load their ES modules and icons."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# Bare names that modules import. Own modules go by name as well, so that every file has
# the hash of its content in its address and may be cached for ever.
PACKAGES = {
    "htmx.org": "npm/htmx.mjs",
    "maplibre-gl": "npm/maplibre-gl.mjs",
    "terra-draw": "npm/terra-draw.mjs",
    "terra-draw-maplibre-gl-adapter": "npm/terra-draw-maplibre.mjs",
}


@register.simple_tag
def importmap() -> SafeString:
    """The import map, for a `<script type="importmap">` with the page's nonce."""
    imports = {name: static(path) for name, path in PACKAGES.items()}
    imports |= {f"outrider/{name}": static(f"js/{name}.mjs") for name in _own_modules()}
    return mark_safe(json.dumps({"imports": imports}))  # noqa: S308 (addresses of our own)


@cache
def _own_modules() -> list[str]:
    folder = Path(settings.BASE_DIR) / "static" / "js"
    return sorted(str(p.relative_to(folder).with_suffix("")) for p in folder.rglob("*.mjs"))


@register.simple_tag
def preloads(name: str) -> SafeString:
    """Links that fetch `outrider/NAME` and all that it imports at once, not link after link.

    What it imports only when it comes to need it is fetched as well, but stands back: it takes
    no time of the first look, neither on the wire nor to be compiled.
    """
    at_once = _needed(name)
    later = [path for path in _needed(name, _ANY_IMPORT) if path not in at_once]
    now = '<link rel="modulepreload" href="{}">'
    after = '<link rel="preload" as="script" href="{}" crossorigin fetchpriority="low">'
    links = [
        format_html(link, static(path))
        for link, paths in ((now, at_once), (after, later))
        for path in paths
    ]
    return mark_safe("\n".join(links))  # noqa: S308 (addresses of our own)


_IMPORT = re.compile(r"""^import\b[^"']*["']([^"']+)["']""", re.MULTILINE)
_ANY_IMPORT = re.compile(r"""(?:^import\b[^"']*|\bimport\()["']([^"']+)["']""", re.MULTILINE)


@cache
def _needed(name: str, imports: re.Pattern[str] = _IMPORT) -> list[str]:
    found: list[str] = []
    waiting = [f"outrider/{name}"]
    while waiting:
        module = waiting.pop(0)
        path = PACKAGES.get(module) or f"js/{module.removeprefix('outrider/')}.mjs"
        if path in found:
            continue
        found.append(path)
        if module not in PACKAGES:
            waiting += imports.findall((Path(settings.BASE_DIR) / "static" / path).read_text())
    return found


@register.simple_tag
def icon(name: str) -> SafeString:
    """One icon of lucide, inline, in the colour of the text around it; hidden from readers."""
    return mark_safe(_icon(name))  # noqa: S308 (a file of a pinned package)


@cache
def _icon(name: str) -> str:
    path = Path(settings.BASE_DIR) / "node_modules" / "lucide-static" / "icons" / f"{name}.svg"
    svg = re.sub(r"<!--.*?-->|\s+class=\"[^\"]*\"", "", path.read_text(), flags=re.DOTALL)
    svg = re.sub(r"\s+", " ", svg.strip())
    return svg.replace("<svg", '<svg class="icon" aria-hidden="true"', 1)
