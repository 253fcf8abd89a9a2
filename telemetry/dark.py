"""Why is it silent? Causes ranked by the evidence for them. Pure: evidence in, causes out.

Strongest first: what proves itself (we are behind, the credential is revoked, everything is
refused), then what the last reading and the neighbours make likely (asleep, no coverage).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

OUTAGE_LAG: Final = timedelta(seconds=30)
"""Readings that wait longer than this for the writer make everything look silent."""
CLOCK_OFF: Final = timedelta(minutes=5)
FEW_NEIGHBOURS: Final = 3


class Cause(StrEnum):
    OUR_OUTAGE = "our_outage"
    ARCHIVED = "archived"
    NO_DEVICE = "no_device"
    CREDENTIAL_REVOKED = "credential_revoked"
    REFUSED = "refused"
    NEVER_CONNECTED = "never_connected"
    CLOCK_BEHIND = "clock_behind"
    EVERYBODY_SILENT = "everybody_silent"
    ASLEEP = "asleep"
    NO_COVERAGE = "no_coverage"


class Strength(StrEnum):
    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class DeviceEvidence:
    """What is known of one device of the vehicle or meter."""

    reference: str
    archived: bool
    has_credential: bool
    last_seen: datetime | None
    skew: timedelta | None
    refused: int
    last_refusal_at: datetime | None
    last_refusal_code: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """`neighbours`: other devices of the organisation, and how many of them report."""

    now: datetime
    silent_after: timedelta
    archived: bool = False
    last_seen: datetime | None = None
    was_moving: bool | None = None
    ignition: bool | None = None
    devices: Sequence[DeviceEvidence] = field(default_factory=tuple)
    ingress_lag: timedelta = timedelta(0)
    neighbours: int = 0
    neighbours_reporting: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """`device` is the reference of the device it is about, for the link that mends it."""

    cause: Cause
    strength: Strength
    title: str
    detail: str
    device: str = ""


def is_silent(evidence: Evidence) -> bool:
    seen = evidence.last_seen
    return seen is None or evidence.now - seen > evidence.silent_after


def explain(evidence: Evidence) -> list[Finding]:
    """Causes, the best supported first; empty where it is not silent at all."""
    if not is_silent(evidence):
        return []
    found = [*_ours(evidence), *_of_the_thing(evidence)]
    for device in evidence.devices:
        found += _of_a_device(device, evidence)
    found += _circumstantial(evidence, proven=bool(found))
    order = list(Strength)
    return sorted(found, key=lambda finding: order.index(finding.strength))


def _ours(evidence: Evidence) -> list[Finding]:
    if evidence.ingress_lag <= OUTAGE_LAG:
        return []
    seconds = int(evidence.ingress_lag.total_seconds())
    return [
        Finding(
            Cause.OUR_OUTAGE,
            Strength.CERTAIN,
            _("We are behind"),
            _(
                "Readings have been waiting for %(s)d s to be stored. Nothing is lost: they will "
                "appear with their own times."
            )
            % {"s": seconds},
        )
    ]


def _of_the_thing(evidence: Evidence) -> list[Finding]:
    if evidence.archived:
        return [
            Finding(
                Cause.ARCHIVED,
                Strength.CERTAIN,
                _("It is archived"),
                _("Its devices are shut out until it is restored."),
            )
        ]
    if not [device for device in evidence.devices if not device.archived]:
        return [
            Finding(
                Cause.NO_DEVICE,
                Strength.CERTAIN if evidence.last_seen is None else Strength.LIKELY,
                _("No device speaks for it"),
                _("Provision a device, or let an integration send its readings by HTTP."),
            )
        ]
    return []


def _of_a_device(device: DeviceEvidence, evidence: Evidence) -> list[Finding]:
    if device.archived:
        return []
    if not device.has_credential:
        return [
            Finding(
                Cause.CREDENTIAL_REVOKED,
                Strength.CERTAIN,
                _("The credential of %(device)s is revoked") % {"device": device.reference},
                _("It cannot connect until you issue a new one."),
                device.reference,
            )
        ]
    refused_since = device.last_refusal_at is not None and (
        device.last_seen is None or device.last_refusal_at > device.last_seen
    )
    if refused_since:
        detail = ngettext(
            "%(n)d reading was refused, the last for “%(code)s”.",
            "%(n)d readings were refused, the last for “%(code)s”.",
            device.refused,
        ) % {"n": device.refused, "code": device.last_refusal_code}
        return [
            Finding(
                Cause.REFUSED,
                Strength.CERTAIN,
                _("What %(device)s sends is refused") % {"device": device.reference},
                detail,
                device.reference,
            )
        ]
    if device.last_seen is None:
        return [
            Finding(
                Cause.NEVER_CONNECTED,
                Strength.CERTAIN,
                _("%(device)s has never sent a reading") % {"device": device.reference},
                _("Check its power, its network, the address and the credential it was given."),
                device.reference,
            )
        ]
    if (
        device.skew is not None
        and device.skew > CLOCK_OFF
        and evidence.now - device.last_seen <= evidence.silent_after
    ):
        return [
            Finding(
                Cause.CLOCK_BEHIND,
                Strength.CERTAIN,
                _("The clock of %(device)s is behind, or it sends a backlog")
                % {"device": device.reference},
                _("It is connected, but its readings carry times of %(min)d minutes ago.")
                % {"min": int(device.skew.total_seconds() // 60)},
                device.reference,
            )
        ]
    return []


def _circumstantial(evidence: Evidence, *, proven: bool) -> list[Finding]:
    """What the last reading and the other devices suggest."""
    if evidence.last_seen is None or evidence.archived:
        return []
    found = []
    if evidence.neighbours >= FEW_NEIGHBOURS and evidence.neighbours_reporting == 0:
        found.append(
            Finding(
                Cause.EVERYBODY_SILENT,
                Strength.LIKELY,
                _("None of your other devices reports either"),
                _("That points to a network they share, or to us, not to this one."),
            )
        )
    weaker = Strength.POSSIBLE if proven else Strength.LIKELY
    if evidence.was_moving:
        found.append(
            Finding(
                Cause.NO_COVERAGE,
                weaker,
                _("It went silent while moving"),
                _(
                    "No mobile coverage, a garage, or a device that lost its power. What it holds "
                    "comes late, with its own times."
                ),
            )
        )
    elif evidence.was_moving is not None:
        asleep = evidence.ignition is False
        found.append(
            Finding(
                Cause.ASLEEP,
                weaker if asleep else Strength.POSSIBLE,
                _("It was parked: the device may be asleep"),
                _("Many trackers stop sending some minutes after the ignition goes off."),
            )
        )
    return found
