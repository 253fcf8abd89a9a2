"""Pages by cursor: stable under inserts, and no slower on the last page than on the first."""

from rest_framework.pagination import CursorPagination


class CursorPages(CursorPagination):
    """`?limit=` up to 1,000; `next` and `previous` are links."""

    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000
    ordering = "pk"
