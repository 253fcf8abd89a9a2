"""HTTP ingest, called as an integration calls it."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

TIMEOUT_S = 20
INGEST_PATH = "/v1/telemetry/ingest"

_encode = msgspec.json.Encoder(decimal_format="number").encode


class IngestPost:
    """Posts to HTTP ingest below a base URL, with an API token."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._netloc = parts.netloc
        self._path = parts.path.rstrip("/") + INGEST_PATH
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }

    def post(self, items: Sequence[dict[str, Any]]) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError or http.client.HTTPException."""
        connection = self._kind(self._netloc, timeout=TIMEOUT_S)
        try:
            connection.request("POST", self._path, body=_encode(items), headers=self._headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
