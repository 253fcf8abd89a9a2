"""The handshake of the device socket: who it is, what it speaks, and what to tell it first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog
from django.conf import settings
from django.db import DatabaseError
from redis.exceptions import RedisError

from telemetry import edge_metrics as metrics
from telemetry import ingest
from telemetry.adapters import ADAPTERS, telemetry_v1
from telemetry.adapters.telemetry_v1 import Form
from telemetry.consumers.reception import reception
from telemetry.envelope import Envelope
from telemetry.limits import limits_of
from telemetry.refusals import Source
from telemetry.sessions import Allowance, DeviceSession
from telemetry.streams import partition_of
from tenants.errors import PROBLEM_TYPE, problem

log = structlog.get_logger(__name__)

FORMS: Final[dict[str, Form]] = {
    "telemetry.v1.json": "json",
    "telemetry.v1.msgpack": "msgpack",
}
_CREDENTIAL_OFFER: Final = "bearer."

_json = msgspec.json.Encoder().encode
_msgpack = msgspec.msgpack.Encoder().encode


def _as_text(message: dict[str, Any]) -> dict[str, Any]:
    return {"type": "websocket.send", "text": _json(message).decode()}


def _as_bytes(message: dict[str, Any]) -> dict[str, Any]:
    return {"type": "websocket.send", "bytes": _msgpack(message)}


_ENCODERS: Final = {"json": _as_text, "msgpack": _as_bytes}


class Refused(Exception):
    """The socket does not open. Answered over HTTP, with a problem object where possible."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail

    async def answer(self, scope: Any, send: Any) -> None:
        """Refuse before the socket is accepted: this status, or 403 from an older server."""
        metrics.HANDSHAKES_REFUSED.labels(self.code).inc()
        log.info("device_refused", code=self.code, detail=self.detail)
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close"})
            return
        body = _json(problem(self.code, self.status, self.detail))
        headers = [(b"content-type", PROBLEM_TYPE.encode())]
        if self.status == 503:
            headers.append((b"retry-after", b"5"))
        start = {"status": self.status, "headers": headers}
        await send({"type": "websocket.http.response.start", **start})
        await send({"type": "websocket.http.response.body", "body": body})


@dataclass(frozen=True, slots=True)
class Opening:
    """A socket about to open."""

    device_id: int
    credential_id: int
    subject: tuple[int | None, int | None]
    """Vehicle and meter the device spoke for when it connected."""
    subprotocol: str
    form: Form
    last_seq: int | None
    connection: str
    number: int
    """Grows with every connection of this process."""
    session: DeviceSession
    door: ingest.Door
    encode: Callable[[dict[str, Any]], dict[str, Any]]


async def open_session(scope: Any) -> Opening:
    """Everything that must be right before the socket opens. Raises Refused."""
    offered: list[str] = scope.get("subprotocols", [])
    subprotocol = next((name for name in offered if name in FORMS), None)
    if subprotocol is None:
        raise Refused(400, "subprotocol_missing", f"Offer one of {', '.join(FORMS)}.")
    secret = _secret(scope, offered)
    try:
        arrival = await reception().arrive(secret) if secret else None
    except (DatabaseError, RedisError, OSError) as error:
        log.warning("device_not_let_in", error=str(error))
        raise Refused(503, "unavailable", "Devices cannot be let in now.") from error
    if arrival is None:
        raise Refused(401, "credential_invalid", "The credential is missing, unknown or revoked.")
    identity, speaker = arrival.identity, arrival.speaker
    if speaker is None:
        raise Refused(
            409,
            "device_not_installed",
            "The device is assigned to neither a vehicle nor a meter.",
        )
    partition = partition_of(speaker.kind, speaker.subject_id)
    door = ingest.door()
    await door.inspector.begun()
    form = FORMS[subprotocol]
    session = DeviceSession(
        door,
        telemetry_v1.Reader(
            Envelope(speaker, telemetry_v1.PROTOCOL),
            form,
            limits_of(identity.retention_days),
        ),
        Source(identity.tenant_id, identity.device_id, ADAPTERS[subprotocol]),
        partition,
        readings=Allowance(
            settings.TELEMETRY_DEVICE_MAX_RATE, 2 * settings.TELEMETRY_DEVICE_MAX_RATE
        ),
        refusals=Allowance(
            settings.TELEMETRY_DEVICE_MAX_REFUSALS, 10 * settings.TELEMETRY_DEVICE_MAX_REFUSALS
        ),
        window=settings.TELEMETRY_DEVICE_WINDOW,
    )
    return Opening(
        device_id=identity.device_id,
        credential_id=identity.credential_id,
        subject=(identity.vehicle_id, identity.meter_id),
        subprotocol=subprotocol,
        form=form,
        last_seq=arrival.last_seq,
        connection=arrival.connection,
        number=arrival.number,
        session=session,
        door=door,
        encode=_ENCODERS[form],
    )


def _secret(scope: Any, offered: list[str]) -> str | None:
    """From the Authorization header, else from the subprotocol a browser would offer."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, secret = value.decode("latin-1").partition(" ")
            return secret.strip() if scheme.lower() == "bearer" else None
    offers = [name for name in offered if name.startswith(_CREDENTIAL_OFFER)]
    return offers[0].removeprefix(_CREDENTIAL_OFFER) if offers else None
