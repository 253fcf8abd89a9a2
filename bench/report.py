"""The figures as a page of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any


def as_markdown(figures: dict[str, Any]) -> str:
    """`docs/figures.md`: what was measured, where and when, with what it cost."""
    machine, phases = figures["machine"], figures["phases"]
    lines = [
        "# Figures",
        "",
        f"Measured on {machine['cores']} cores of {machine['cpu']} with {machine['memory_gib']} "
        f"GiB, Python {machine['python']}: all on one machine, the load generator included. "
        "`make bench` makes this page.",
        "",
        *table(["what", "figure"], rows(phases)),
        "",
        "## CPU seconds per million readings, by process",
        "",
        *process_table(loads(phases), "cpu_s_per_million"),
        "",
        "## Memory at the end of the load (MiB, unshared)",
        "",
        *process_table(loads(phases), "memory_mib"),
        "",
        *page_weights(phases.get("console", {}).get("page_kb", {})),
        "## When each phase was measured",
        "",
        *table(
            ["phase", "date", "commit"],
            [
                (f"`{name}`", phase["measured"]["date"], phase["measured"]["commit"])
                for name, phase in phases.items()
            ],
        ),
        "",
    ]
    return "\n".join(lines)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return [
        "| " + " | ".join(heads) + " |",
        "|---" * len(heads) + "|",
        *("| " + " | ".join(map(str, row)) + " |" for row in rows),
    ]


def rows(phases: dict[str, Any]) -> list[tuple[str, str]]:
    """What was measured, in the order of the phases below, in one line each."""
    return [
        row for name, of_phase in _ROWS.items() if name in phases for row in of_phase(phases[name])
    ]


def storage_rows(phase: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            "storage ceiling (the writer's transaction fed from memory)",
            f"{phase['readings_per_s']:,} readings/s",
        )
    ]


def socket_rows(name: str, phase: dict[str, Any]) -> list[tuple[str, str]]:
    answer = []
    for tried in phase["tried"]:
        verdict = "held, the log not growing" if tried["held"] else "not held"
        answer.append(
            (
                f"device socket, {name}, {tried['target_rate']:,}/s for {tried['seconds']:.0f} s",
                f"{verdict}: {tried['accepted_per_s']:,} accepted/s, "
                f"{tried['committed_per_s']:,} committed/s, acknowledged "
                f"p50 {tried['ack_ms']['p50_ms']} ms, p99 {tried['ack_ms']['p99_ms']} ms",
            )
        )
    return answer


def bulk_rows(phase: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            "bulk HTTP, 1,000 a request, flat out",
            f"{phase['accepted_per_s']:,} readings/s accepted, "
            f"{phase['committed_per_s']:,} committed",
        )
    ]


def dashboard_rows(phase: dict[str, Any]) -> list[tuple[str, str]]:
    took = phase["latency_ms"]
    return [
        (
            "device to dashboard at 5,000 readings/s",
            f"p50 {took['p50_ms']} ms, p99 {took['p99_ms']} ms",
        )
    ]


def api_rows(phase: dict[str, Any]) -> list[tuple[str, str]]:
    """A line for each question, with every size of history in it."""
    sizes = {name: answers for name, answers in phase.items() if name != "measured"}
    questions = next(iter(sizes.values()))
    return [
        (
            f"API `{question}`",
            "; ".join(
                f"with {int(size):,} readings stored p50 {answers[question]['p50_ms']} ms, "
                f"p99 {answers[question]['p99_ms']} ms"
                for size, answers in sizes.items()
            ),
        )
        for question in questions
    ]


def alert_rows(phase: dict[str, Any]) -> list[tuple[str, str]]:
    load, opening, lag = phase["load"], phase["opening"], phase["engine_lag"]
    return [
        (
            f"alerts: {phase['rules']} rules on each of {phase['vehicles']:,} vehicles at "
            f"{load['target_rate']:,} readings/s for {load['seconds']:.0f} s",
            f"{load['accepted_per_s']:,} accepted/s, {load['committed_per_s']:,} committed/s, "
            f"{phase['evaluated_per_s']:,} evaluated/s; reading accepted to alert open "
            f"p50 {opening['p50_s']} s, p99 {opening['p99_s']} s; "
            f"the engine behind by {lag['max_s']} s at most",
        )
    ]


def silence_rows(phase: dict[str, Any]) -> list[tuple[str, str]]:
    steady, storm = phase["steady"], phase["all_at_once"]
    return [
        (
            f"silence among {phase['vehicles']:,} vehicles",
            f"alert open after its due time p50 {steady['opening']['p50_s']} s, "
            f"p99 {steady['opening']['p99_s']} s, at most {steady['opening']['max_s']} s",
        ),
        (
            f"the same with all {phase['vehicles']:,} due at one moment",
            f"at most {storm['opening']['max_s']} s",
        ),
    ]


def console_rows(phase: dict[str, Any]) -> list[tuple[str, str]]:
    first = phase["first_look"]
    heaviest = max(phase["page_kb"], key=lambda name: float(phase["page_kb"][name]))
    return [
        (
            f"Live with {phase['vehicles']:,} vehicles, empty cache: first rows; the fleet on "
            "the map (drawn by software); all counted",
            "; ".join(f"{first[f'{name}_ms']['middle']:,} ms" for name in ("rows", "map", "all")),
        ),
        *(row for live in phase["live"] for row in _live_rows(live)),
        *(
            (
                f"{charts['what']} {charts['readings']:,} readings: answered; drawn; drawn from "
                "opening the page on",
                "; ".join(f"{charts[f'{at}_ms']} ms" for at in ("answered", "drawn", "opened")),
            )
            for charts in phase["charts"]
        ),
        (
            f"heaviest page over the wire besides the map library ({heaviest})",
            f"{phase['page_kb'][heaviest]} kB",
        ),
    ]


def _live_rows(live: dict[str, Any]) -> list[tuple[str, str]]:
    tasks, scripts, screen = live["long_tasks"], live["scripts"], live["reading_to_screen"]
    early, late = live["memory"]["after_a_minute"], live["memory"]["at_the_end"]
    return [
        (
            f"{live['view']}, updating for {live['seconds']} s, each vehicle every five: a "
            "reading sent to the frame that shows it",
            f"p50 {screen['p50_ms']} ms, p99 {screen['p99_ms']} ms",
        ),
        (
            "the same: main thread held up for over 50 ms",
            f"{tasks['count']} times, {tasks['longest_ms']} ms at most; by a script "
            f"{scripts['over_50_ms']} times, {scripts['longest_ms']} ms at most",
        ),
        (
            "the same: heap after collection, a minute in (or a third) and at the end",
            f"{early['heap_mib']} and {late['heap_mib']} MiB",
        ),
    ]


def page_weights(pages: dict[str, float]) -> list[str]:
    if not pages:
        return []
    heads = ["page", "kB over the wire, nothing cached, the map library and its map not counted"]
    return ["## What pages weigh", "", *table(heads, pages.items()), ""]


_ROWS: dict[str, Callable[[dict[str, Any]], list[tuple[str, str]]]] = {
    "storage_ceiling": storage_rows,
    "single_readings": partial(socket_rows, "one reading a frame"),
    "frames_of_50": partial(socket_rows, "frames of 50"),
    "http_bulk": bulk_rows,
    "device_to_dashboard": dashboard_rows,
    "alerts": alert_rows,
    "silence": silence_rows,
    "api": api_rows,
    "console": console_rows,
}


def loads(phases: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The load of each phase that has one: of the socket phases the fastest held."""

    def fastest(phase: dict[str, Any]) -> dict[str, Any]:
        kept = [tried for tried in phase["tried"] if tried["held"]] or phase["tried"]
        return dict(kept[-1])

    named: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
        "single_readings": ("one reading a frame", fastest),
        "frames_of_50": ("frames of 50", fastest),
        "http_bulk": ("bulk HTTP", dict),
        "device_to_dashboard": ("a dashboard beside it", lambda phase: dict(phase["load"])),
        "alerts": ("ten rules beside it", lambda phase: dict(phase["load"])),
    }
    return {
        label: load_of(phases[name]) for name, (label, load_of) in named.items() if name in phases
    }


def process_table(by_load: dict[str, dict[str, Any]], key: str) -> list[str]:
    names = list(dict.fromkeys(name for load in by_load.values() for name in load[key]))
    return table(
        ["load", *names],
        [[label, *(load[key].get(name, "") for name in names)] for label, load in by_load.items()],
    )
