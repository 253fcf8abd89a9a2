"""The one error type that crosses every interface.

Services and the ingest door raise it; HTTP turns it into `application/problem+json`
(RFC 9457), sockets into a close or reject code, the admin into a message.
"""

from __future__ import annotations

from typing import Any, Final

PROBLEM_TYPE: Final = "application/problem+json"


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

    def problem(self, **about: Any) -> dict[str, Any]:
        return problem(self.code, self.status, self.detail, **about | self.extra | about)


def problem(code: str, status: int, detail: str, **further: Any) -> dict[str, Any]:
    """The members of a problem object, in the order people read them. Further members go
    behind the first five and replace none of them."""
    first = {
        "type": f"/problems/{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
    }
    return first | further | first
