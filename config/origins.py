"""Whose word the dashboard socket takes: a browser's only from our own pages."""

from __future__ import annotations

from typing import Any

from channels.security.websocket import AllowedHostsOriginValidator

from telemetry.consumers.access import secret_of


class OriginWhereCookiesCount:
    """Checks the Origin of sockets that would be let in by their cookies.

    A foreign page can make a browser connect with our cookies, but not with a token it does
    not know: whoever presents one is no browser of ours, sends no Origin, and is let through
    to where the token, and only the token, is judged.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.checked = AllowedHostsOriginValidator(application)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        chosen = self.checked if secret_of(scope) is None else self.application
        return await chosen(scope, receive, send)
