"""Why is it silent? Causes ranked by the evidence for them. Pure: evidence in, causes out.

Strongest first: what proves itself (we are behind, the credential is revoked, everything is
refused), then what the last reading and the neighbours make likely (asleep, no coverage).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

from django.utils.translation import gettext as _

from telemetry.frames import reason
from telemetry.knocks import Knock
from tenants.templatetags.display import duration

OUTAGE_LAG: Final = timedelta(seconds=30)
"""Readings that wait longer than this for the writer make everything look silent."""
CLOCK_OFF: Final = timedelta(minutes=5)
FEW_NEIGHBOURS: Final = 3


class Cause(StrEnum):
    OUR_OUTAGE = "our_outage"
    ARCHIVED = "archived"
    NOT_INSTALLED = "not_installed"
    NO_DEVICE = "no_device"
    CREDENTIAL_REVOKED = "credential_revoked"
    WRONG_CREDENTIAL = "wrong_credential"
    CLOCK_AHEAD = "clock_ahead"
    REFUSED = "refused"
    NEVER_CONNECTED = "never_connected"
    CLOCK_BEHIND = "clock_behind"
    EVERYBODY_SILENT = "everybody_silent"
    CONNECTED = "connected"
    ASLEEP = "asleep"
    NO_COVERAGE = "no_coverage"


class Strength(StrEnum):
    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class DeviceEvidence:
    """What is known of one device of the vehicle or meter. `speaks_for` tells what is wrong
    with that, where the question is about the device itself."""

    reference: str
    archived: bool
    has_credential: bool
    last_seen: datetime | None
    skew: timedelta | None
    refused: int
    last_refusal_at: datetime | None
    last_refusal_code: str
    connected: bool = False
    knock: Knock | None = None
    speaks_for: Literal["", "nothing", "archived"] = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """`neighbours`: other devices of the organisation, and how many of them report.
    `ingress_lag` is None where Redis does not tell it; then nothing is taken in at all."""

    now: datetime
    silent_after: timedelta
    archived: bool = False
    last_seen: datetime | None = None
    was_moving: bool | None = None
    ignition: bool | None = None
    devices: Sequence[DeviceEvidence] = field(default_factory=tuple)
    ingress_lag: timedelta | None = timedelta(0)
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
    """Causes, the best supported first; of what is not silent only a clock that is wrong."""
    if not is_silent(evidence):
        return [clock for device in evidence.devices for clock in _clock_behind(device, evidence)]
    found = [*_ours(evidence), *_of_the_thing(evidence)]
    for device in evidence.devices:
        found += _of_a_device(device, evidence)
    found += _circumstantial(evidence, proven=bool(found))
    order = list(Strength)
    return sorted(found, key=lambda finding: order.index(finding.strength))


def _ours(evidence: Evidence) -> list[Finding]:
    if evidence.ingress_lag is None:
        title = _("We cannot take readings in just now")
        detail = _("It is our fault. Devices keep what they have and send it again.")
    elif evidence.ingress_lag > OUTAGE_LAG:
        title = _("We are behind")
        detail = _(
            "Readings have been waiting for %(time)s to be stored. Nothing is lost: they will "
            "appear with their own times."
        ) % {"time": duration(evidence.ingress_lag.total_seconds())}
    else:
        return []
    return [Finding(Cause.OUR_OUTAGE, Strength.CERTAIN, title, detail)]


def _of_the_thing(evidence: Evidence) -> list[Finding]:
    if evidence.archived:
        return [
            Finding(
                Cause.ARCHIVED,
                Strength.CERTAIN,
                _("It is archived"),
                _("Nothing is taken in from it until it is restored."),
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
    """The first thing that shuts a device out, or keeps it dark."""
    if device.archived:
        return []
    found = _shut_out(device, evidence)
    if found is None and _refused_since(device):
        found = _refused(device, evidence)
    if found is None and device.last_seen is None:
        found = _never_heard(device)
    return [found] if found is not None else _clock_behind(device, evidence)


def _of(
    device: DeviceEvidence,
    cause: Cause,
    title: str,
    detail: str,
    strength: Strength = Strength.CERTAIN,
) -> Finding:
    """`title` names the device as %(device)s."""
    name = {"device": device.reference}
    return Finding(cause, strength, title % name, detail, device.reference)


def _shut_out(device: DeviceEvidence, evidence: Evidence) -> Finding | None:
    tried = _tried(device, evidence)
    if device.speaks_for == "archived":
        detail = _("It is shut out until its vehicle or meter is restored.")
        title = _("What %(device)s speaks for is archived")
        return _of(device, Cause.ARCHIVED, title, f"{detail} {tried}".strip())
    if device.speaks_for == "nothing":
        detail = _("It is turned away until you edit it and name its vehicle or meter.")
        return _of(device, Cause.NOT_INSTALLED, _("%(device)s is installed nowhere"), detail)
    if not device.has_credential:
        detail = _("It cannot connect until you issue a new one.")
        title = _("The credential of %(device)s is revoked")
        return _of(device, Cause.CREDENTIAL_REVOKED, title, f"{detail} {tried}".strip())
    why = device.knock.why if device.knock is not None and tried else ""
    if device.connected or why not in ("revoked", "wrong"):
        return None
    if why == "revoked":
        detail = _("Give it the one that was issued last, or issue a new one.")
        title = _("%(device)s uses a credential that is revoked")
        return _of(device, Cause.WRONG_CREDENTIAL, title, f"{tried} {detail}")
    detail = _("What it sent begins like its credential and is another: is it whole?")
    title = _("%(device)s uses a wrong credential")
    # Anybody may have tried, who knows how it begins.
    return _of(device, Cause.WRONG_CREDENTIAL, title, f"{tried} {detail}", Strength.LIKELY)


def _tried(device: DeviceEvidence, evidence: Evidence) -> str:
    """That it was turned away, where that was after all that was heard of it."""
    knock = device.knock
    if knock is None or (device.last_seen is not None and knock.at <= device.last_seen):
        return ""
    return _("It was turned away %(time)s ago.") % {"time": _since(knock.at, evidence)}


def _since(moment: datetime, evidence: Evidence) -> str:
    return duration(max((evidence.now - moment).total_seconds(), 0))


def _refused_since(device: DeviceEvidence) -> bool:
    """Whether what came last was refused."""
    return device.last_refusal_at is not None and (
        device.last_seen is None or device.last_refusal_at > device.last_seen
    )


def _refused(device: DeviceEvidence, evidence: Evidence) -> Finding:
    assert device.last_refusal_at is not None  # noqa: S101  (asked just before)
    ago = _since(device.last_refusal_at, evidence)
    if device.last_refusal_code == "future_time":
        detail = _(
            "Its readings carry times in the future and are refused, the last %(time)s ago. "
            "Let it set its clock by the network or by satellite."
        )
        title = _("The clock of %(device)s is ahead")
        return _of(device, Cause.CLOCK_AHEAD, title, detail % {"time": ago})
    detail = _("The last was refused %(time)s ago: “%(reason)s”. Its page shows the bytes and why.")
    detail %= {"time": ago, "reason": reason(device.last_refusal_code)}
    return _of(device, Cause.REFUSED, _("What %(device)s sends is refused"), detail)


def _never_heard(device: DeviceEvidence) -> Finding:
    if device.connected:
        title = _("%(device)s is connected and has never sent a reading")
        detail = _("Network, address and credential are good. See what its program does.")
    else:
        title = _("%(device)s has never sent a reading")
        detail = _("Check its power, its network, the address and the credential it was given.")
    return _of(device, Cause.NEVER_CONNECTED, title, detail)


def _clock_behind(device: DeviceEvidence, evidence: Evidence) -> list[Finding]:
    if (
        device.archived
        or device.last_seen is None
        or device.skew is None
        or device.skew <= CLOCK_OFF
        or evidence.now - device.last_seen > evidence.silent_after
    ):
        return []
    title = _("The clock of %(device)s is behind, or it sends a backlog")
    detail = _("It is heard, but its readings carry times of %(time)s ago.")
    detail %= {"time": duration(device.skew.total_seconds())}
    return [_of(device, Cause.CLOCK_BEHIND, title, detail)]


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
    if any(device.connected for device in evidence.devices):
        found.append(
            Finding(
                Cause.CONNECTED,
                weaker,
                _("It is connected and sends nothing"),
                _("Coverage and credential are good: it is asleep, or its program has stopped."),
            )
        )
    elif evidence.was_moving:
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
