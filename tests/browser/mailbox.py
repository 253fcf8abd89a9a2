"""A mail server that keeps what it is given, so that tests read what people are sent."""

from __future__ import annotations

import re
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tests.telemetry.platform import free_port


class Mailbox:
    """Listens on a free port; `to` waits for the newest mail to an address."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port())

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.mails += [(address, message) for address in envelope.rcpt_tos]
        return "250 kept"

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.controller.port}"

    def to(self, address: str, seconds: float = 20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for recipient, message in reversed(self.mails):
                if recipient == address:
                    return message
            time.sleep(0.1)
        raise AssertionError(f"no mail to {address}")

    def link_to(self, address: str) -> str:
        """The path of the link in the newest mail to an address."""
        text = self.to(address).get_content()
        found = re.search(r"https?://[^/\s]+(/\S+)", text)
        assert found, text
        return found.group(1)
