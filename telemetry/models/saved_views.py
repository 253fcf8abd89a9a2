"""Views of the live page that somebody gave a name."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models

from tenants.collation import NATURAL
from tenants.scoping import TenantOwned

MAX_QUERY = 800


class SavedView(TenantOwned):
    """What stood in the address of the live page: filters, order, map, selection, moment.

    Belongs to one person; where it is shared, all of the organisation may open it.
    """

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80, db_collation=NATURAL)
    query = models.CharField(max_length=MAX_QUERY, blank=True)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "owner", "name"], name="saved_view_once")
        ]
        indexes = [models.Index(fields=["tenant", "shared"])]

    def __str__(self) -> str:
        return self.name
