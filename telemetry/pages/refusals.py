"""Refused frames in groups: what is wrong with many at once, and who is not known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Max, QuerySet

from fleet.models import Device
from telemetry.frames import reason
from telemetry.models import QuarantinedFrame
from telemetry.validate import RefusalCode
from tenants.models import Organisation

MOST_GROUPS: Final = 8
LOOKED_INTO: Final = 300
"""Frames of unknown things that are opened to see whom they name: the newest."""
_NAMES: Final = {
    RefusalCode.UNKNOWN_VEHICLE: ("vehicle", ("vehicle_id", "vehicleId")),
    RefusalCode.UNKNOWN_METER: ("meter", ("meter_id", "meterId")),
}


@dataclass
class Stranger:
    """A vehicle or meter that somebody reports for and nobody has registered."""

    kind: str
    reference: str
    last: datetime
    n: int = 0
    frames: list[str] = field(default_factory=list)


def faults(rows: QuerySet[QuarantinedFrame], tenant: Organisation) -> list[dict[str, Any]]:
    """The same reason at the same field of the same device is one fault. Two queries."""
    counted = list(
        rows.values("code", "field", "device_id")
        .annotate(n=Count("pk"), last=Max("received_at"))
        .order_by("-n", "code", "field")[:MOST_GROUPS]
    )
    names = Device.objects.for_tenant(tenant).in_bulk(
        {each["device_id"] for each in counted if each["device_id"]}
    )
    return [
        {**each, "reason": reason(each["code"]), "device": names.get(each["device_id"])}
        for each in counted
    ]


def strangers(rows: QuerySet[QuarantinedFrame]) -> list[Stranger]:
    """Who is held because nobody knows them, the latest first. One query."""
    held = rows.filter(code__in=list(_NAMES)).exclude(replay_outcome="accepted")
    found: dict[tuple[str, str], Stranger] = {}
    for frame in held.order_by("-received_at").only("log_id", "code", "raw", "received_at")[
        :LOOKED_INTO
    ]:
        kind, names = _NAMES[RefusalCode(frame.code)]
        reference = _named(bytes(frame.raw), names)
        if reference:
            one = found.setdefault((kind, reference), Stranger(kind, reference, frame.received_at))
            one.n += 1
            one.frames.append(frame.log_id)
    return list(found.values())


def _named(raw: bytes, names: Sequence[str]) -> str:
    try:
        frame = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(frame, dict):
        return ""
    return next((v for name in names if isinstance(v := frame.get(name), str)), "")[:64]
