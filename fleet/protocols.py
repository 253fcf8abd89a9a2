"""What a device may be told to speak, and how to begin: for people who provision one."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Protocol:
    """`name` is kept on the device; `snippets` names the templates that show how to begin."""

    name: str
    label: str | Promise
    about: str | Promise
    snippets: tuple[str, ...]


PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        "telemetry.v1",
        _("Telemetry socket"),
        _(
            "One lasting WebSocket connection, JSON or MessagePack, acknowledged readings. "
            "For trackers and gateways that you program."
        ),
        ("python", "curl"),
    ),
    Protocol(
        "http.v1",
        _("HTTP"),
        _(
            "One POST per reading or batch. For scripts, chargers and back ends that call now "
            "and then."
        ),
        ("curl", "python-http"),
    ),
)


def protocol_named(name: str) -> Protocol:
    """The protocol, or the first where the name is of an adapter without a page of its own."""
    return next((each for each in PROTOCOLS if each.name == name), PROTOCOLS[0])
