"""`POST /v1/telemetry/ingest`: readings over HTTP, one or many, of vehicles and of meters."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import msgspec
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from fleet.selectors import device_for_secret
from telemetry import ingest, knocks
from telemetry.adapters import http_v1
from telemetry.adapters.decoded import RefusedItem
from telemetry.adapters.http_v1 import BodyMalformed, BodyTooLarge, Judged
from telemetry.envelope import Kind
from telemetry.limits import limits_of
from telemetry.refusals import Source
from telemetry.submissions import Caller, Result, records_of, submit, unavailable
from telemetry.validate import Refusal, RefusalCode, Span
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.secrets import DEVICE_CREDENTIAL
from tenants.selectors import note_token_use, token_from_secret

MAX_BODY: Final = 10 * 1024 * 1024
"""Bytes of a body, after decompression."""
_IN_THE_LOOP: Final = 64 * 1024
"""A larger body is read in a thread, so that the process' sockets are served meanwhile."""

_JSON: Final = "application/json"
_LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")

_encode = msgspec.json.Encoder().encode
Reader = Callable[[bytes, Span], list[Judged]]


@csrf_exempt
@require_POST
async def ingest_view(request: HttpRequest) -> HttpResponse:
    """202 once everything accepted is durable and everything refused is recorded.

    Authenticated by an API token with `telemetry:write`, or by a device's own credential.
    """
    caller = await _caller(request)
    await ingest.door().inspector.begun()
    try:
        return _answer(await _take(request, caller))
    except DomainError as error:
        if error.code != "all_refused":  # That has been shown, reading by reading.
            _show(caller, request, None, time.time_ns() // 1000, error)
        raise


async def _take(request: HttpRequest, caller: Caller) -> list[Result]:
    """Answer for every reading of the request. Raises DomainError where there is none."""
    reader, splitter = _format(request)
    body = await _body(request)
    now_us = time.time_ns() // 1000
    span = caller.limits.span(now_us)
    try:
        if len(body) > _IN_THE_LOOP:
            judged = await asyncio.to_thread(reader, body, span)
        else:
            judged = reader(body, span)
    except BodyTooLarge as error:
        raise DomainError(
            "too_large", 413, f"{error} readings in a request: at most {http_v1.MAX_ITEMS}."
        ) from error
    except BodyMalformed as error:
        await _quarantine_body(caller, body, str(error), now_us)
        raise DomainError("malformed", 400, f"The body is not JSON: {error}") from error
    if not judged:
        raise DomainError("malformed", 400, "The body holds no reading.")
    raw_items = cache(lambda: splitter(body))
    results = await submit(caller, http_v1.ADAPTER, judged, raw_items, now_us)
    _show(caller, request, body, now_us, results=results, judged=judged)
    return results


def _show(
    caller: Caller,
    request: HttpRequest,
    body: bytes | None,
    received_us: int,
    error: DomainError | None = None,
    *,
    results: Sequence[Result] = (),
    judged: Sequence[Judged] = (),
) -> None:
    """Keep the body (None: as it came) for whoever looks at the device that sent it."""
    inspector = ingest.door().inspector
    if caller.device_id not in inspector.devices:
        return
    inspector.keep(
        caller.device_id,
        request.body if body is None else body,
        f"{http_v1.PROTOCOL} {request.content_type}"[:60],
        received_us,
        records=records_of(caller, http_v1.ADAPTER, judged, results, received_us),
        refused=[
            RefusedItem(Refusal(each["code"], each["field"], each["detail"]), None, b"", 0)
            for each in results
            if each["status"] == "refused"
        ],
        problem=(error.code, error.detail) if error else None,
    )


def _answer(results: list[Result]) -> HttpResponse:
    counts = {"accepted": 0, "duplicate": 0, "refused": 0}
    for result in results:
        counts[result["status"]] += 1
    if counts["refused"] == len(results):
        raise DomainError(
            "all_refused", 422, "Every reading was refused.", results=results, **counts
        )
    body = _encode({"results": results, **counts})
    return HttpResponse(body, status=202, content_type=_JSON)


# --- Who ---------------------------------------------------------------------------------
async def _caller(request: HttpRequest) -> Caller:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise DomainError("not_authenticated", 401, "Send an API token or a device credential.")
    try:
        caller: Caller = await database_sync_to_async(_identify)(secret.strip())
    except DatabaseError as error:
        raise unavailable("Credentials cannot be checked now.") from error
    return caller


def _identify(secret: str) -> Caller:
    if secret.startswith(f"{DEVICE_CREDENTIAL}_"):
        device = device_for_secret(secret)
        if device is None:
            knocks.note([secret])
            raise DomainError(
                "credential_invalid", 401, "The credential is unknown, or was revoked."
            )
        subject: tuple[Kind, int] | None = None
        if device.vehicle_id is not None:
            subject = "v", device.vehicle_id
        elif device.meter_id is not None:
            subject = "m", device.meter_id
        limits = limits_of(device.retention_days)
        return Caller(device.tenant_id, device.device_id, subject, limits)
    now = timezone.now()
    token = token_from_secret(secret, now=now)
    if token is None:
        raise DomainError("token_invalid", 401, "The token is unknown, expired or revoked.")
    if Scope.TELEMETRY_WRITE not in token.scopes:
        raise DomainError("scope_missing", 403, f"This needs the scope {Scope.TELEMETRY_WRITE}.")
    note_token_use(token, now=now)
    return Caller(token.tenant_id, None, None, limits_of(token.tenant.retention_days))


# --- What --------------------------------------------------------------------------------
def _format(request: HttpRequest) -> tuple[Reader, Callable[[bytes], list[bytes]]]:
    content_type = request.content_type or ""
    if content_type == _JSON:
        return http_v1.read_json, http_v1.split_json
    if content_type in _LINES:
        return http_v1.read_lines, http_v1.split_lines
    raise DomainError(
        "unsupported_media_type", 415, f"Send {_JSON} or {_LINES[0]}, not {content_type[:80]!r}."
    )


async def _body(request: HttpRequest) -> bytes:
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise DomainError(
            "unsupported_media_type", 415, f"The content coding {coding[:80]!r} is not read here."
        )
    body = request.body
    if coding == "gzip":
        body = await asyncio.to_thread(_gunzip, body)
    if len(body) > MAX_BODY:
        raise _too_large()
    return body


def _gunzip(body: bytes) -> bytes:
    """Decompress, and stop at the bound whatever the rest would have become."""
    parts: list[bytes] = []
    size = 0
    while body:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            part = member.decompress(body, MAX_BODY + 1 - size)
        except zlib.error as error:
            raise DomainError("malformed", 400, f"The body is not gzip: {error}") from error
        parts.append(part)
        size += len(part)
        if size > MAX_BODY:
            raise _too_large()
        if not member.eof:
            raise DomainError("malformed", 400, "The gzip body ends early.")
        body = member.unused_data
    return b"".join(parts)


def _too_large() -> DomainError:
    return DomainError("too_large", 413, f"The body is larger than {MAX_BODY} bytes.")


async def _quarantine_body(caller: Caller, body: bytes, detail: str, now_us: int) -> None:
    """Keep a body that cannot be taken apart, so that support sees what the caller sends."""
    door = ingest.door()
    if door.quarantine_lane.full:
        raise unavailable("Refusals cannot be recorded now.")
    source = Source(caller.tenant_id, caller.device_id, http_v1.ADAPTER)
    refusal = Refusal(RefusalCode.MALFORMED, "", detail[:200])
    ticket = door.refuse(source, [RefusedItem.of(refusal, body)], now_us)
    if not await door.durable([ticket], settings.TELEMETRY_HTTP_TIMEOUT_S):
        raise unavailable("The refusal could not be recorded in time.")
