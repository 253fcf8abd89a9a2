"""Where measured figures are kept: a phase at a time, those of one machine together."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import report
from bench.product import ROOT

DOCS = ROOT / "docs"


def machine() -> dict[str, Any]:
    """What figures depend on and two runs may have in common."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


def measured() -> dict[str, str]:
    """When, and at which commit: each phase has its own."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {"date": datetime.now(UTC).date().isoformat(), "commit": done.stdout.strip()}


def merged(before: dict[str, Any], name: str, figures: dict[str, Any]) -> dict[str, Any]:
    """`before` with the figures of one phase put in; of another machine nothing is kept."""
    here = machine()
    kept = before.get("phases", {}) if before.get("machine") == here else {}
    return {"machine": here, "phases": kept | {name: figures | {"measured": measured()}}}


def publish(name: str, figures: dict[str, Any], *, docs: Path = DOCS) -> None:
    """Put a phase's figures into `figures.json`, and make `figures.md` from all of them."""
    path = docs / "figures.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    everything = merged(before, name, figures)
    path.write_text(json.dumps(everything, indent=2) + "\n")
    (docs / "figures.md").write_text(report.as_markdown(everything))
