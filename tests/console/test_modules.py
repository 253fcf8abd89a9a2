"""The browser's modules fit together: no bundler checks it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

JS = Path(__file__).resolve().parents[2] / "static" / "js"
MODULES = {f"outrider/{path.relative_to(JS).with_suffix('')}": path for path in JS.rglob("*.mjs")}
EXPORTED = re.compile(r"^export\s+(?:async\s+)?(?:function\*?|class|const|let)\s+(\w+)", re.M)
EXPORTED_LIST = re.compile(r"^export\s*\{([^}]*)\}", re.M)
IMPORTED = re.compile(r"import\s*\{([^}]*)\}\s*from\s*\"(outrider/[^\"]+)\"")


def names(listed: str, side: int) -> set[str]:
    """Of `a, b as c` the names before (0) or after (-1) `as`."""
    return {part.split(" as ")[side].strip() for part in listed.split(",") if part.strip()}


def exports(source: str) -> set[str]:
    listed = (names(each, -1) for each in EXPORTED_LIST.findall(source))
    return set(EXPORTED.findall(source)).union(*listed)


def lacking(source: str) -> list[str]:
    """What a module imports and nobody exports."""
    found = []
    for listed, module in IMPORTED.findall(source):
        there = exports(MODULES[module].read_text()) if module in MODULES else set()
        found += [f"{name} of {module}" for name in sorted(names(listed, 0) - there)]
    return found


@pytest.mark.parametrize("module", sorted(MODULES))
def test_what_a_module_imports_is_exported(module: str) -> None:
    assert lacking(MODULES[module].read_text()) == []


def test_it_notices_what_is_not_there() -> None:
    assert lacking('import { nothing } from "outrider/words";')
    assert lacking('import { any } from "outrider/nowhere";')
