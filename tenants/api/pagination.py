"""Pages by cursor: stable under inserts, and no slower on the last page than on the first.

A cursor holds the place in the order, so the order is one the customer may see: their
own references, or a time. Database keys stay inside.
"""

import re
from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from tenants.errors import DomainError

REFERENCE = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class CursorPages(CursorPagination):
    """`?limit=` up to 1,000; `next` and `previous` are links. By reference."""

    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000
    ordering: str = "reference"
    invalid_cursor_message = "The cursor is not one of ours."

    def decode_cursor(self, request: Request) -> Any:
        try:
            cursor = super().decode_cursor(request)
        except (NotFound, ValueError) as error:
            raise DomainError("bad_cursor", 400, self.invalid_cursor_message) from error
        # DRF hands the position to the database as it came.
        position = None if cursor is None else cursor.position
        if position is not None and not self.is_position(str(position)):
            raise DomainError("bad_cursor", 400, self.invalid_cursor_message)
        return cursor

    def is_position(self, text: str) -> bool:
        """Whether this can be a value of the ordering column."""
        return REFERENCE.fullmatch(text) is not None


class DatedPages(CursorPages):
    """The newest first."""

    ordering = "-created_at"

    def is_position(self, text: str) -> bool:
        try:
            moment = parse_datetime(text)
        except ValueError:
            return False
        return moment is not None and moment.tzinfo is not None
