"""The one error type that crosses every interface.

Services and the ingest door raise it; HTTP turns it into `application/problem+json`
(RFC 9457), sockets into a close or reject code, the admin into a message.
"""

from typing import Any


class DomainError(Exception):
    """A refusal a person or a program can act on.

    `code` is stable and part of the interface, `detail` is a sentence for a person,
    `extra` holds further members of the problem object (JSON-serialisable).
    """

    def __init__(self, code: str, status: int, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
        self.detail = detail
        self.extra = extra
