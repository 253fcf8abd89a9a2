"""Meter readings over HTTP ingest: one batch at a time, kept until it is taken."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from telemetry.simulator.meters import SimulatedMeter
from telemetry.simulator.posting import IngestPost

log = structlog.get_logger(__name__)
MAX_ITEMS = 1_000


class MeterPost:
    """Posts what the meters read.

    A batch that was not taken is posted again as it is: the platform knows it by its content.
    Meanwhile the meters go on counting.
    """

    def __init__(self, ingest: IngestPost, meters: Sequence[SimulatedMeter]) -> None:
        self._ingest = ingest
        self._meters = meters
        self._pending: list[list[dict[str, Any]]] = []
        self.accepted = 0
        self.refused = 0

    async def report(self, time_ms: int) -> None:
        """Take the meters' readings, if the last ones are through, and post them."""
        if not self._pending:
            readings = [meter.take_reading(time_ms) for meter in self._meters]
            self._pending = [
                readings[start : start + MAX_ITEMS] for start in range(0, len(readings), MAX_ITEMS)
            ]
        while self._pending:
            try:
                status, answer = await asyncio.to_thread(self._ingest.post, self._pending[0])
            except (OSError, http.client.HTTPException) as error:
                log.info("meter readings wait", error=type(error).__name__)
                return
            if status >= 500 or status == 429:
                log.info("meter readings wait", status=status)
                return
            self._note(status, answer)
            self._pending.pop(0)

    def _note(self, status: int, answer: bytes) -> None:
        try:
            tally = msgspec.json.decode(answer)
            self.accepted += tally.get("accepted", 0)
            self.refused += tally.get("refused", 0)
        except (msgspec.DecodeError, AttributeError):
            pass
        if status >= 400:
            log.warning(
                "meter readings refused", status=status, answer=answer[:300].decode("latin-1")
            )
