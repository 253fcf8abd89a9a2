"""Meter readings over HTTP ingest: one batch at a time, kept until it is taken."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog

from telemetry.simulator.meters import SimulatedMeter

log = structlog.get_logger(__name__)
TIMEOUT_S = 20
MAX_ITEMS = 1_000
INGEST_PATH = "/v1/telemetry/ingest"

_encode = msgspec.json.Encoder(decimal_format="number").encode


class MeterPost:
    """Posts to HTTP ingest below a base URL, with an API token.

    A batch that was not taken is posted again as it is: the platform knows it by its content.
    Meanwhile the meters go on counting.
    """

    def __init__(self, url: str, token: str, meters: Sequence[SimulatedMeter]) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._netloc = parts.netloc
        self._path = parts.path.rstrip("/") + INGEST_PATH
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }
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
                status, answer = await asyncio.to_thread(self._post, _encode(self._pending[0]))
            except (OSError, http.client.HTTPException) as error:
                log.info("meter readings wait", error=type(error).__name__)
                return
            if status >= 500 or status == 429:
                log.info("meter readings wait", status=status)
                return
            self._note(status, answer)
            self._pending.pop(0)

    def _post(self, body: bytes) -> tuple[int, bytes]:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._netloc, timeout=TIMEOUT_S)
        try:
            connection.request("POST", self._path, body=body, headers=self._headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

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
