"""Adapters: from the bytes of a protocol to records and refusals. One file per protocol.

An adapter is pure. It decodes, has values checked and made canonical, and answers for every
item exactly once: as a record ready for the ingress log, or as a refusal with its raw bytes.
"""

from __future__ import annotations

from telemetry.adapters import http_v1, telemetry_v1
from telemetry.adapters.decoded import Adapter

ADAPTERS: dict[str, Adapter] = {
    adapter.name: adapter for adapter in (telemetry_v1.JSON, telemetry_v1.MSGPACK, http_v1.ADAPTER)
}
"""By name, as it stands in the quarantine and in the subprotocol of the device socket."""
