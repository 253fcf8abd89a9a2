"""The base of every admin page that shows what belongs to a customer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import Model, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin

from tenants.actors import Actor
from tenants.addresses import address_of
from tenants.errors import DomainError
from tenants.models import Organisation, User
from tenants.selectors import active_support_of


class DomainAdmin(ModelAdmin):  # type: ignore[misc]
    """Shows a refusal of a service as a message instead of a crash."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except DomainError as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
            return redirect(request.path)
        return answer


def supported_tenants(request: HttpRequest) -> set[int]:
    """Ids of the organisations that this member of staff may look into right now."""
    known: set[int] | None = getattr(request, "_supported_tenants", None)
    if known is None:
        user = request.user
        accesses = active_support_of(user) if isinstance(user, User) else []
        known = {access.tenant_id for access in accesses}
        request._supported_tenants = known  # type: ignore[attr-defined]
    return known


class TenantAdmin(DomainAdmin):
    """Rows of the organisations the member of staff holds a support access for, no others;
    superusers are no exception. Nothing is added or deleted here, and only what
    `editable_fields` names is changed, by a service that records it.
    """

    editable_fields: ClassVar[tuple[str, ...]] = ()
    shows_rows_without_tenant: ClassVar[bool] = False
    """Rows whose `tenant_id` is empty belong to nobody and may be shown to all staff."""
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        wanted = Q(tenant_id__in=supported_tenants(request))
        if self.shows_rows_without_tenant:
            wanted |= Q(tenant_id__isnull=True)
        queryset: QuerySet[Any] = super().get_queryset(request).filter(wanted)
        return queryset

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_module_permission(request) and self._reaches(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(self.editable_fields) and self.has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # What is not shown cannot be guessed letter by letter in the address either.
        if lookup.partition("__")[0] in (self.exclude or ()):
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        own = list(super().get_readonly_fields(request, obj))
        names = [field.name for field in self.model._meta.fields]
        # Django shows a read-only field even where `exclude` names it.
        apart = {*own, *self.editable_fields, *(self.exclude or ())}
        return own + [name for name in names if name not in apart]

    def save_model(
        self, request: HttpRequest, obj: Any, form: ModelForm[Any], change: bool
    ) -> None:
        fields = {name: form.cleaned_data[name] for name in form.changed_data}
        if fields:
            self.update(self.actor(request, obj.tenant), obj, fields)

    def update(self, actor: Actor, row: Any, fields: dict[str, Any]) -> None:
        """Change a row by its service."""
        raise NotImplementedError(f"{type(self).__name__} has editable fields and no service")

    def actor(self, request: HttpRequest, tenant: Organisation) -> Actor:
        """The member of staff, as the audit trail is to name them."""
        assert isinstance(request.user, User)  # noqa: S101  (the admin let them in)
        return Actor.support(tenant, request.user, address=address_of(request))

    def for_each(self, request: HttpRequest, rows: Iterable[Any], act: Any, *, done: str) -> None:
        """Run a service over selected rows; tells how many it did and why not the others."""
        count = 0
        for row in rows:
            try:
                act(self.actor(request, row.tenant), row)
                count += 1
            except DomainError as refusal:
                self.message_user(request, f"{row}: {refusal.detail}", messages.WARNING)
        if count:
            self.message_user(request, f"{count} {done}.", messages.SUCCESS)

    def _reaches(self, request: HttpRequest, obj: Any) -> bool:
        if obj is None:
            return True
        if obj.tenant_id is None:
            return self.shows_rows_without_tenant
        return obj.tenant_id in supported_tenants(request)
