"""Shutting an organisation, and opening it again. Nothing of it is deleted."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants import withdrawal
from tenants.audit import record_audit
from tenants.errors import DomainError
from tenants.models import Organisation, User


@transaction.atomic
def archive_organisation(
    *, tenant: Organisation, by: User, reason: str, address: str | None = None
) -> Organisation:
    """Shut an organisation: its people, tokens and devices are let in no more. Nothing of
    it is deleted; archiving it twice is no error.
    """
    return _set_archived(tenant, timezone.now(), by=by, reason=reason, address=address)


@transaction.atomic
def restore_organisation(
    *, tenant: Organisation, by: User, reason: str, address: str | None = None
) -> Organisation:
    """Open an archived organisation again, as it was."""
    return _set_archived(tenant, None, by=by, reason=reason, address=address)


def _set_archived(
    tenant: Organisation, moment: datetime | None, *, by: User, reason: str, address: str | None
) -> Organisation:
    if not (by.is_superuser and by.is_active):
        raise DomainError("not_staff", 403, _("Only administrators of the platform may do this."))
    if not reason.strip():
        raise DomainError("reason_missing", 422, _("Say why."))
    tenant = Organisation.objects.select_for_update().get(pk=tenant.pk)
    before = tenant.archived_at
    if (before is None) == (moment is None):
        return tenant
    tenant.archived_at = moment
    tenant.save(update_fields=["archived_at"])
    record_audit(
        tenant=tenant,
        actor=by,
        actor_label=f"{by} (staff)",
        action="organisation.restored" if moment is None else "organisation.archived",
        target=f"organisation {tenant.slug}",
        changes={"archived_at": (before, moment)},
        reason=reason,
        address=address,
    )
    withdrawal.announce("tenant", tenant.pk)
    return tenant
