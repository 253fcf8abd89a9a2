"""Pages by cursor: stable under inserts, and no slower on the last page than on the first."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from tenants.errors import DomainError


class CursorPages(CursorPagination):
    """`?limit=` up to 1,000; `next` and `previous` are links."""

    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000
    ordering: str | tuple[str, ...] = "pk"
    invalid_cursor_message = "The cursor is not one of ours."

    def decode_cursor(self, request: Request) -> Any:
        try:
            cursor = super().decode_cursor(request)
        except (NotFound, ValueError) as error:
            raise DomainError("bad_cursor", 400, self.invalid_cursor_message) from error
        # DRF passes the position on to the database as text; NUL would crash there.
        if cursor is not None and cursor.position is not None:
            self.check_position(str(cursor.position))
        return cursor

    def check_position(self, position: str) -> None:
        """Refuse what is no value of the ordering column."""
        if not (position.isascii() and position.isdecimal() and len(position) < 19):
            raise DomainError("bad_cursor", 400, self.invalid_cursor_message)
