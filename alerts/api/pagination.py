"""Orders of lists that are not by the customer's references."""

from tenants.api.pagination import DatedPages


class NewestAlerts(DatedPages):
    """By the moment that proved them, the newest first."""

    ordering = "-opened_at"
