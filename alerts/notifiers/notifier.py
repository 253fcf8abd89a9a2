"""What a way of telling somebody is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext


class InvalidAddress(ValueError):
    """Nobody can be reached there; the message is for a person."""


@dataclass(frozen=True, slots=True)
class Message:
    """One attempt at one delivery. `key` is the same in every attempt."""

    key: str
    address: str
    secrets: tuple[str, ...]
    """Of the channel, in clear; the first is the current one."""
    event: str
    payload: dict[str, Any]
    """For machines; what people read is made of it and of the rest."""
    saw: tuple[str, ...] = ()
    """What the rule saw: "Speed: 142 km/h"."""
    zone: str = "UTC"
    link: str = ""
    """Where the alert is shown."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt. Raising is not needed: a notifier answers."""

    succeeded: bool
    hopeless: bool = False
    """Trying again cannot help."""
    request: str = ""
    status: int | None = None
    response: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Notifier:
    """`check` takes (address, secret) as a person gave them and returns the address to show
    and the secret to keep; raises InvalidAddress."""

    key: str
    label: str
    check: Callable[[str, str], tuple[str, str]]
    send: Callable[[Message], Outcome]


def summary(message: Message) -> tuple[str, list[str]]:
    """A subject line and the lines of a message, for people."""
    payload, data = message.payload, message.payload["data"]
    if "alerts" in data:
        return _digest(data, message.zone)
    said = {"alert.opened": data["severity"].upper(), "alert.resolved": _("Resolved")}.get(
        payload["type"], _("Test")
    )
    about = f"{data['subject_name']} ({data['subject']})"
    lines = [data["title"], _("About: %(subject)s") % {"subject": about}]
    lines.append(_("Since: %(time)s") % {"time": _local(data["started_at"], message.zone)})
    if data.get("resolved_at"):
        lines.append(_("Until: %(time)s") % {"time": _local(data["resolved_at"], message.zone)})
    lines += message.saw
    return f"[Outrider] {said}: {data['subject_name']}: {data['title']}", lines


def _digest(data: dict[str, Any], zone: str) -> tuple[str, list[str]]:
    """Of `count` alerts, of which the first are named."""
    n, named = data["count"], data["alerts"]
    many = ngettext("%(n)d alert of low severity", "%(n)d alerts of low severity", n) % {"n": n}
    lines = [f"{_local(a['opened_at'], zone)}  {a['subject_name']}: {a['title']}" for a in named]
    if n > len(named):
        lines.append(_("and %(n)d more") % {"n": n - len(named)})
    return f"[Outrider] {many}", lines


def _local(moment: str, zone: str) -> str:
    """`21 Nov 2026, 10:42:18 CET`."""
    if not moment:
        return "–"
    at = datetime.fromisoformat(moment).astimezone(ZoneInfo(zone))
    return f"{at.day} {at:%b %Y, %H:%M:%S %Z}"
