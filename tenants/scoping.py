"""The one place where reads are bound to a tenant.

A model that belongs to a tenant derives from `TenantOwned`. Its `objects` fails closed:
it has no querysets of its own, only `for_tenant(tenant)`. Code that must look across
tenants (the admin, the writer, retention) says so by name: `Model.unscoped`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models

if TYPE_CHECKING:
    from tenants.models import Organisation

M = TypeVar("M", bound=models.Model)


class UnscopedAccess(RuntimeError):
    """A tenant's model was queried without saying for which tenant."""


class TenantManager(models.Manager[M]):
    """Hands out querysets only for a named tenant."""

    def get_queryset(self) -> models.QuerySet[M]:
        raise UnscopedAccess(
            f"{self.model.__name__}.objects needs a tenant: use for_tenant(tenant), "
            f"or {self.model.__name__}.unscoped where looking across tenants is the point"
        )

    def for_tenant(self, tenant: Organisation | int) -> models.QuerySet[M]:
        """Rows of one tenant, given the organisation or its id."""
        tenant_id = tenant if isinstance(tenant, int) else tenant.pk
        if tenant_id is None:
            raise UnscopedAccess("the tenant has not been saved")
        return super().get_queryset().filter(tenant_id=tenant_id)

    def create(self, **fields: Any) -> M:
        """Create a row; `tenant` or `tenant_id` must be among the fields."""
        if fields.get("tenant") is None and fields.get("tenant_id") is None:
            raise UnscopedAccess(f"{self.model.__name__} needs its tenant")
        return super().get_queryset().create(**fields)


class TenantOwned(models.Model):
    """Base of every model that belongs to exactly one tenant."""

    tenant = models.ForeignKey("tenants.Organisation", on_delete=models.PROTECT, related_name="+")

    # First, so that Django's own machinery (forms, unique checks, the admin) uses it.
    unscoped = models.Manager()
    objects = TenantManager()

    class Meta:
        abstract = True
