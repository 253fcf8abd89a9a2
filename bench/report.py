"""The figures as a page of Markdown."""

from __future__ import annotations

from typing import Any


def as_markdown(figures: dict[str, Any]) -> str:
    """`docs/figures.md`: what was measured, where and when, with what it cost."""
    machine = figures["machine"]
    lines = [
        "# Figures",
        "",
        f"Measured {machine['date']} at commit {machine['commit']} on {machine['cores']} cores of "
        f"{machine['cpu']} with {machine['memory_gib']} GiB, Python {machine['python']}: all on "
        "one machine, the load generator included. `make bench` makes this page.",
        "",
        "| what | figure |",
        "|---|---|",
        *(f"| {what} | {figure} |" for what, figure in rows(figures)),
        "",
        "## CPU seconds per million readings, by process",
        "",
        *cost_table(figures),
        "",
        "## Memory at the end of the load (MiB, unshared)",
        "",
        *memory_table(figures),
        "",
    ]
    return "\n".join(lines)


def rows(figures: dict[str, Any]) -> list[tuple[str, str]]:
    single, fifty = figures["single_readings"], figures["frames_of_50"]
    live, bulk = figures["device_to_dashboard"], figures["http_bulk"]
    table = [
        (
            "storage ceiling (the writer's transaction fed from memory)",
            f"{figures['storage_ceiling']['readings_per_s']:,} readings/s",
        ),
        *socket_rows("one reading a frame", single),
        *socket_rows("frames of 50", fifty),
        (
            "bulk HTTP, 1,000 a request, flat out",
            f"{bulk['accepted_per_s']:,} readings/s accepted, "
            f"{bulk['committed_per_s']:,} committed",
        ),
        (
            "device to dashboard at 5,000 readings/s",
            f"p50 {live['latency_ms']['p50_ms']} ms, p99 {live['latency_ms']['p99_ms']} ms",
        ),
    ]
    for count, answers in figures["api"].items():
        for question, took in answers.items():
            table.append(
                (
                    f"API `{question}` with {int(count):,} rows stored",
                    f"p50 {took['p50_ms']} ms, p99 {took['p99_ms']} ms",
                )
            )
    return table


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


def loads(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The load of each phase that is shown: of the socket phases the fastest held."""

    def best(phase: dict[str, Any]) -> dict[str, Any]:
        kept = [tried for tried in phase["tried"] if tried["held"]] or phase["tried"]
        return dict(kept[-1])

    return {
        "one reading a frame": best(figures["single_readings"]),
        "frames of 50": best(figures["frames_of_50"]),
        "bulk HTTP": figures["http_bulk"],
    }


def cost_table(figures: dict[str, Any]) -> list[str]:
    return process_table(loads(figures), "cpu_s_per_million")


def memory_table(figures: dict[str, Any]) -> list[str]:
    return process_table(loads(figures), "memory_mib")


def process_table(by_load: dict[str, dict[str, Any]], key: str) -> list[str]:
    names = list(next(iter(by_load.values()))[key])
    head = ["| load | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    return head + [
        f"| {load} | " + " | ".join(str(figures[key].get(name, "")) for name in names) + " |"
        for load, figures in by_load.items()
    ]
