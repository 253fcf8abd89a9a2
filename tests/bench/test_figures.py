"""Figures of phases measured one by one, on this machine or another."""

import json

import pytest

from bench import figures, report
from bench.phases import PHASES

LOAD = {
    "target_rate": 10_000,
    "seconds": 60.0,
    "accepted_per_s": 9990,
    "committed_per_s": 9980,
    "ack_ms": {"p50_ms": 1.0, "p99_ms": 2.0},
    "cpu_s_per_million": {"ingest": 32.0, "writer": 8.0},
    "memory_mib": {"ingest": 114, "writer": 128},
}
OPENING = {"p50_s": 0.3, "p99_s": 0.9, "max_s": 1.1, "samples": 900}
ANSWERS = {"latest": {"p50_ms": 5.0, "p99_ms": 9.0, "samples": 2000}}
EXAMPLES = {
    "storage_ceiling": {"readings_per_s": 51_282},
    "single_readings": {"tried": [LOAD | {"held": True}], "held_per_s": 10_000},
    "frames_of_50": {"tried": [LOAD | {"held": False}], "held_per_s": 0},
    "http_bulk": LOAD,
    "device_to_dashboard": {"latency_ms": {"p50_ms": 30.0, "p99_ms": 90.0}, "load": LOAD},
    "api": {"100000": ANSWERS, "10000000": ANSWERS},
    "alerts": {
        "rules": 10,
        "vehicles": 1000,
        "evaluated_per_s": 9970,
        "opening": OPENING,
        "engine_lag": {"entries_max": 9, "p50_s": 0.1, "max_s": 0.6},
        "load": LOAD,
    },
    "silence": {
        "vehicles": 100_000,
        "steady": {"opening": OPENING},
        "all_at_once": {"opening": OPENING},
    },
    "console": {
        "vehicles": 10_000,
        "first_look": {
            "rows_ms": {"middle": 900, "worst": 1100},
            "map_ms": {"middle": 1400, "worst": 1600},
            "all_ms": {"middle": 2100, "worst": 2300},
        },
        "live": [
            {
                "view": "a town in sight",
                "seconds": 60,
                "long_tasks": {"count": 3, "longest_ms": 70, "share": 0.003},
                "scripts": {"over_50_ms": 0, "longest_ms": 21},
                "reading_to_screen": {"p50_ms": 210.0, "p99_ms": 400.0, "samples": 90, "sent": 100},
                "memory": {"after_a_minute": {"heap_mib": 31}, "at_the_end": {"heap_mib": 31}},
            }
        ],
        "charts": [
            {
                "what": "charts of",
                "readings": 100_000,
                "answered_ms": 180,
                "drawn_ms": 240,
                "opened_ms": 300,
            }
        ],
        "page_kb": {"Live": 96.0, "Vehicle": 120.0},
    },
}


def test_there_is_an_example_of_every_phase():
    assert EXAMPLES.keys() == PHASES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_one_phase_alone_makes_a_page(tmp_path, name):
    figures.publish(name, EXAMPLES[name], docs=tmp_path)
    page = (tmp_path / "figures.md").read_text()
    assert f"| `{name}` |" in page
    assert len(page.split("## CPU")[0].splitlines()) > 7, "the table of figures is empty"


def test_phases_measured_one_by_one_stand_together(tmp_path):
    for name, measured in EXAMPLES.items():
        figures.publish(name, measured, docs=tmp_path)
    figures.publish("storage_ceiling", {"readings_per_s": 60_000}, docs=tmp_path)
    kept = json.loads((tmp_path / "figures.json").read_text())
    assert kept["phases"].keys() == EXAMPLES.keys()
    assert kept["phases"]["storage_ceiling"]["readings_per_s"] == 60_000
    assert kept["phases"]["api"].pop("measured")["date"]
    assert kept["phases"]["api"] == EXAMPLES["api"]
    page = (tmp_path / "figures.md").read_text()
    assert "60,000 readings/s" in page
    assert "with 10,000,000 readings stored p50 5.0 ms" in page
    assert "ten rules beside it | 32.0 | 8.0" in page


def test_figures_of_another_machine_do_not_stand_beside_ours():
    before = {
        "machine": figures.machine() | {"cores": 64},
        "phases": {"api": EXAMPLES["api"]},
    }
    after = figures.merged(before, "http_bulk", EXAMPLES["http_bulk"])
    assert after["phases"].keys() == {"http_bulk"}


def test_the_page_in_the_documentation_is_made_of_its_figures():
    kept = json.loads((figures.DOCS / "figures.json").read_text())
    assert (figures.DOCS / "figures.md").read_text() == report.as_markdown(kept)
