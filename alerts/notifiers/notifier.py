"""What a way of telling somebody is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


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


def summary(payload: dict[str, Any]) -> tuple[str, list[str]]:
    """A subject line and the lines of a message, for people."""
    if "alerts" in payload["data"]:
        alerts = payload["data"]["alerts"]
        return (
            f"[Outrider] {len(alerts)} alerts of low severity",
            [f"{a['opened_at']}  {a['subject_name']}: {a['title']}" for a in alerts],
        )
    data = payload["data"]
    said = {"alert.opened": data["severity"].upper(), "alert.resolved": "Resolved"}.get(
        payload["type"], "Test"
    )
    lines = [data["title"], f"About: {data['subject_name']} ({data['subject']})"]
    lines.append(f"Since: {data['started_at']}")
    if data.get("resolved_at"):
        lines.append(f"Until: {data['resolved_at']}")
    lines += [f"{name}: {value}" for name, value in data["values"].items()]
    return f"[Outrider] {said}: {data['subject_name']}: {data['title']}", lines
