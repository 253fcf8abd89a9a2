"""What became of every row of a recording.

Refused rows are those the server rejected, by its code. Every other row must be found in
history, at its time and from its device. How many of them are new is the difference of
the counts before and after the run: no other device has the recorder's identity. The rest
were there already, or stand twice in the file: duplicates.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from telemetry.models import VehicleReadingRow
from telemetry.replay.mapping import milliseconds
from telemetry.replay.sending import Answers
from telemetry.streams import INGRESS, partition_of, sync_client


@dataclass(slots=True)
class Account:
    """One file's rows; complete when `unaccounted` is 0."""

    name: str
    rows: int
    stored: int = 0
    duplicate: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def unaccounted(self) -> int:
        """Rows neither refused nor in history (yet)."""
        return self.rows - self.stored - self.duplicate - self.refused.total()


@dataclass(frozen=True, slots=True)
class Span:
    """Where a recording's rows lie in history."""

    vehicle_id: int
    device_id: int
    oldest: datetime
    newest: datetime

    def stored_times(self) -> list[int]:
        """Of each row in history, milliseconds since 1970."""
        times = VehicleReadingRow.objects.filter(
            vehicle_id=self.vehicle_id,
            time__range=(self.oldest, self.newest),
            device_id=self.device_id,
        ).values_list("time", flat=True)
        return [milliseconds(moment) for moment in times.iterator(chunk_size=10_000)]


def settle(account: Account, answers: Answers, span: Span | None, rows_before: int) -> None:
    """Fill in what became of the rows; `rows_before` is what history held in the span."""
    stored_times = [] if span is None else span.stored_times()
    found = set(stored_times)
    kept = sum(moment in found for moment in answers.accepted_times())
    account.refused = answers.refused_by_code()
    account.stored = len(stored_times) - rows_before
    account.duplicate = kept - account.stored


def wait_until_written(vehicle_id: int, timeout_s: float) -> bool:
    """Wait until the writer has consumed all that is in the vehicle's partition by now.

    False where it has not after `timeout_s`. Entries leave the log once they are written,
    so what is older than this moment (by Redis' clock) only has to be gone.
    """
    partition = partition_of("v", vehicle_id)
    seconds, micros = sync_client().time()
    now_ms = seconds * 1000 + micros // 1000
    deadline = time.monotonic() + timeout_s
    while True:
        oldest_ms = INGRESS.depth(partition).oldest_ms
        if oldest_ms is None or oldest_ms > now_ms:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
