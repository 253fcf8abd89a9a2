"""People and organisations, for support staff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.admin import RelatedOnlyFieldListFilter
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.forms import ActionForm, AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from tenants import closing, services
from tenants.actors import Actor
from tenants.addresses import address_of
from tenants.admin_base import DomainAdmin, TenantAdmin, supported_tenants
from tenants.audit import record_audit
from tenants.errors import DomainError
from tenants.models import (
    ApiToken,
    AuditEntry,
    Invitation,
    Membership,
    Organisation,
    SupportAccess,
    User,
)
from tenants.selectors import SESSION_TENANT

admin.site.unregister(Group)
# Theirs show secrets, or search a user name that our people do not have.
admin.site.unregister(Authenticator)
admin.site.unregister(UserSession)
admin.site.unregister(EmailAddress)


class ReasonedAction(ActionForm):  # type: ignore[misc]
    """Asks why beside the choice of what to do."""

    reason = forms.CharField(
        max_length=400,
        required=False,
        label="",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Why", "aria-label": "Why"}),
    )


@admin.register(Organisation)
class OrganisationAdmin(DomainAdmin):
    """Every member of staff sees who the customers are; their settings take support access."""

    list_display = ("name", "slug", "time_zone", "units", "retention_days", "created_at")
    list_filter = ("units", ("archived_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "slug")
    ordering = ("name",)
    fields = ("name", "slug", "time_zone", "units", "retention_days", "created_at", "archived_at")
    readonly_fields = ("slug", "created_at", "archived_at")
    action_form = ReasonedAction
    actions = ("archive", "restore")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or obj.pk in supported_tenants(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        # An organisation begins with an owner: `create_organisation` is the way.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        assert isinstance(request.user, User)  # noqa: S101  (the admin let them in)
        actor = Actor.support(obj, request.user, address=address_of(request))
        fields = {name: form.cleaned_data[name] for name in form.changed_data}
        services.update_organisation(actor=actor, **fields)

    @admin.action(description="Archive: shut out its people, tokens and devices")
    def archive(self, request: HttpRequest, queryset: QuerySet[Organisation]) -> None:
        self._each(request, queryset, closing.archive_organisation, "archived")

    @admin.action(description="Restore: let them in again")
    def restore(self, request: HttpRequest, queryset: QuerySet[Organisation]) -> None:
        self._each(request, queryset, closing.restore_organisation, "restored")

    def _each(
        self, request: HttpRequest, rows: QuerySet[Organisation], act: Any, done: str
    ) -> None:
        reason = request.POST.get("reason", "")
        for tenant in rows:
            try:
                act(tenant=tenant, by=request.user, reason=reason, address=address_of(request))
            except DomainError as refusal:
                self.message_user(request, f"{tenant}: {refusal.detail}", messages.WARNING)
            else:
                self.message_user(request, f"{tenant}: {done}.", messages.SUCCESS)


@admin.register(User)
class UserAdmin(DomainAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    """People. Only superusers change them, and every change is recorded."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "organisations", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("email", "password", "first_name", "last_name")}),
        ("May", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("When", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "password1", "password2")}),)
    readonly_fields = ("last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people: QuerySet[User] = super().get_queryset(request)
        return people.annotate(membership_count=Count("memberships"))

    @admin.display(description="organisations", ordering="membership_count")
    def organisations(self, user: Any) -> int:
        count: int = user.membership_count
        return count

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the audit trail names them: deactivate instead

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        assert isinstance(request.user, User)  # noqa: S101  (the admin let them in)
        shown = [name for name in form.changed_data if not name.startswith("password")]
        record_audit(
            tenant=None,
            actor=request.user,
            actor_label=f"{request.user} (staff)",
            action="user.updated" if change else "user.created",
            target=f"user {obj.email}",
            changes={name: (form.initial.get(name), form.cleaned_data[name]) for name in shown},
            address=address_of(request),
        )


@admin.register(Membership)
class MembershipAdmin(TenantAdmin):
    list_display = ("user", "tenant", "role", "created_at")
    list_filter = ("role", ("tenant", RelatedOnlyFieldListFilter))
    list_select_related = ("user", "tenant")
    search_fields = ("user__email", "tenant__name")
    ordering = ("tenant__name", "user__email")


@admin.register(Invitation)
class InvitationAdmin(TenantAdmin):
    """Who was invited; the link is in the mail and nowhere else."""

    list_display = ("email", "tenant", "role", "sent_at", "expires_at", "accepted_at")
    list_filter = (
        ("tenant", RelatedOnlyFieldListFilter),
        ("accepted_at", admin.EmptyFieldListFilter),
        ("withdrawn_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("tenant",)
    search_fields = ("email", "tenant__name")
    ordering = ("-created_at",)


@admin.register(EmailAddress)
class EmailAddressAdmin(DomainAdmin):
    """Addresses that people proved to be theirs, to look at."""

    list_display = ("email", "user", "verified", "primary")
    list_filter = ("verified", "primary")
    list_select_related = ("user",)
    search_fields = ("email", "user__email")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Authenticator)
class AuthenticatorAdmin(DomainAdmin):
    """Second factors, without their secrets. Superusers remove one that was lost."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    fields = ("user", "type", "created_at", "last_used_at")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_queryset(request, Authenticator.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        assert isinstance(request.user, User)  # noqa: S101  (the admin let them in)
        with transaction.atomic():
            for factor in queryset.select_related("user"):
                record_audit(
                    tenant=None,
                    actor=request.user,
                    actor_label=f"{request.user} (staff)",
                    action="user.second_factor_removed",
                    target=f"user {factor.user.email}",
                    changes={"type": (factor.type, None)},
                    address=address_of(request),
                )
            queryset.delete()


@admin.register(ApiToken)
class ApiTokenAdmin(TenantAdmin):
    """Tokens without secrets: not even the digest is shown."""

    list_display = ("name", "prefix", "tenant", "scope_list", "state", "last_used_at", "expires_at")
    list_filter = (
        ("tenant", RelatedOnlyFieldListFilter),
        ("revoked_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("tenant", "created_by")
    search_fields = ("name", "prefix")
    ordering = ("-created_at",)
    exclude = ("digest",)
    actions = ("revoke",)

    @admin.display(description="scopes")
    def scope_list(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @admin.display(description="state")
    def state(self, token: ApiToken) -> str:
        if token.revoked_at is not None:
            return "revoked"
        return "usable" if token.usable_at(timezone.now()) else "expired"

    @admin.action(description="Revoke the selected tokens")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        self.for_each(
            request,
            queryset.select_related("tenant"),
            lambda actor, token: services.revoke_token(actor=actor, token=token),
            done="revoked",
        )


@admin.register(AuditEntry)
class AuditEntryAdmin(TenantAdmin):
    """Read-only, as the database has it."""

    list_display = ("at", "tenant", "actor_label", "action", "target", "reason", "address")
    list_filter = ("action", ("tenant", RelatedOnlyFieldListFilter), "at")
    list_select_related = ("tenant", "actor")
    search_fields = ("actor_label", "target", "action")
    date_hierarchy = "at"
    ordering = ("-at",)
    shows_rows_without_tenant = True


class SupportAccessForm(forms.ModelForm):  # type: ignore[type-arg]
    hours = forms.IntegerField(
        min_value=1, max_value=8, initial=1, widget=UnfoldAdminIntegerFieldWidget()
    )

    class Meta:
        model = SupportAccess
        fields = ("tenant", "reason")


@admin.register(SupportAccess)
class SupportAccessAdmin(DomainAdmin):
    """Where staff ask for leave to look into an organisation. The customer sees each."""

    list_display = ("tenant", "staff", "reason", "granted_at", "expires_at", "state")
    list_filter = (("tenant", RelatedOnlyFieldListFilter), ("ended_at", admin.EmptyFieldListFilter))
    list_select_related = ("tenant", "staff")
    search_fields = ("tenant__name", "staff__email", "reason")
    ordering = ("-granted_at",)
    actions = ("end",)

    def get_form(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        if obj is None:
            options["form"] = SupportAccessForm
        return super().get_form(request, obj, **options)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("tenant", "reason", "hours")
        return ("tenant", "staff", "reason", "granted_at", "expires_at", "ended_at")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="active", boolean=True)
    def state(self, access: SupportAccess) -> bool:
        return access.active_at(timezone.now())

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        assert isinstance(request.user, User)  # noqa: S101  (the admin let them in)
        granted = services.grant_support_access(
            tenant=form.cleaned_data["tenant"],
            staff=request.user,
            reason=form.cleaned_data["reason"],
            duration=timedelta(hours=form.cleaned_data["hours"]),
            address=address_of(request),
        )
        # The admin goes on with the object it was given.
        obj.__dict__.update(granted.__dict__)
        # The console opens where support is needed.
        request.session[SESSION_TENANT] = granted.tenant_id

    @admin.action(description="End the selected accesses", permissions=["add"])
    def end(self, request: HttpRequest, queryset: QuerySet[SupportAccess]) -> None:
        assert isinstance(request.user, User)  # noqa: S101  (the admin let them in)
        for access in queryset.select_related("tenant", "staff"):
            if access.staff == request.user or request.user.is_superuser:
                services.end_support_access(
                    access=access, by=request.user, address=address_of(request)
                )
                self.message_user(request, f"{access}: ended.")
