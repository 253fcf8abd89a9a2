"""The writer's own transaction fed from memory, nothing else running."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.installation import opened
from bench.options import Options


def ceiling(folder: Path, options: Options) -> dict[str, Any]:
    rows = 200_000 if options.quick else 2_000_000
    with opened(folder, []) as (installation, _):
        until = datetime.now(UTC).replace(microsecond=0)
        answer = installation.run(
            *("-m", "bench.fill", "--rows", str(rows), "--until", until.isoformat()), timeout=1800
        )
    done: dict[str, Any] = json.loads(answer)
    return done | {"readings_per_s": round(done["rows"] / done["seconds"])}
