"""What a phase of the benchmark is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`quick`: everything shorter, to try the benchmark, not to publish from it."""

    quick: bool = False
    rows: int = 10_000_000
    """Readings of the large history."""
    writers: int = 2
    """Processes that share the partitions: while one waits for a disk, the other computes."""

    ui_seconds: int = 600
    """Of the live page in a browser."""

    def seconds(self, full: int) -> int:
        return max(10, full // 6) if self.quick else full
