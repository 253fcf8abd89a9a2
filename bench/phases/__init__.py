"""What is measured: each phase builds an installation of its own and returns its figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.options import Options
from bench.phases import alerts, api, console, edge, silence, storage

Phase = Callable[[Path, Options], dict[str, Any]]
"""(an empty folder, what was asked for) -> figures"""

PHASES: dict[str, Phase] = {
    "storage_ceiling": storage.ceiling,
    "single_readings": edge.single_readings,
    "frames_of_50": edge.frames_of_50,
    "http_bulk": edge.http_bulk,
    "device_to_dashboard": edge.device_to_dashboard,
    "api": api.hot_answers,
    "alerts": alerts.ten_rules,
    "silence": silence.hundred_thousand,
    "console": console.in_a_browser,
}
