"""What customers run, for support staff inside a support access."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import RelatedOnlyFieldListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from unfold.admin import TabularInline

from fleet import services
from fleet.models import Device, DeviceCredential, Fleet, Meter, MeterMapping, Vehicle
from tenants.actors import Actor
from tenants.admin_base import TenantAdmin

IN_SERVICE = ("archived_at", admin.EmptyFieldListFilter)
BY_TENANT = ("tenant", RelatedOnlyFieldListFilter)
BY_FLEET = ("fleet", RelatedOnlyFieldListFilter)


@admin.register(Fleet)
class FleetAdmin(TenantAdmin):
    list_display = ("reference", "name", "tenant", "created_at", "archived_at")
    list_filter = (BY_TENANT, IN_SERVICE)
    list_select_related = ("tenant",)
    search_fields = ("reference", "name")
    ordering = ("tenant", "reference")
    editable_fields = ("name",)

    def update(self, actor: Actor, row: Fleet, fields: dict[str, Any]) -> None:
        services.update_fleet(actor=actor, fleet=row, **fields)


@admin.register(Vehicle)
class VehicleAdmin(TenantAdmin):
    """Vehicles without their VIN: whether there is one is all that shows."""

    list_display = (
        "reference",
        "name",
        "tenant",
        "fleet",
        "kind",
        "plate",
        "has_vin",
        "archived_at",
    )
    list_filter = (BY_TENANT, BY_FLEET, "kind", IN_SERVICE)
    list_select_related = ("tenant", "fleet")
    search_fields = ("reference", "name", "plate")
    ordering = ("tenant", "reference")
    exclude = ("vin_pseudonym", "vin_ciphertext")
    editable_fields = ("name", "kind", "plate", "battery_capacity_kwh", "silent_after_s")
    actions = ("archive", "restore")

    @admin.display(description="VIN on record", boolean=True)
    def has_vin(self, vehicle: Vehicle) -> bool:
        return bool(vehicle.vin_pseudonym)

    def update(self, actor: Actor, row: Vehicle, fields: dict[str, Any]) -> None:
        services.update_vehicle(actor=actor, vehicle=row, **fields)

    @admin.action(description="Archive the selected vehicles", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Vehicle]) -> None:
        self.for_each(
            request,
            queryset,
            lambda actor, vehicle: services.archive_vehicle(actor=actor, vehicle=vehicle),
            done="archived",
        )

    @admin.action(description="Restore the selected vehicles", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Vehicle]) -> None:
        self.for_each(
            request,
            queryset,
            lambda actor, vehicle: services.restore_vehicle(actor=actor, vehicle=vehicle),
            done="restored",
        )


@admin.register(Meter)
class MeterAdmin(TenantAdmin):
    list_display = ("reference", "name", "tenant", "fleet", "silent_after_s", "archived_at")
    list_filter = (BY_TENANT, BY_FLEET, IN_SERVICE)
    list_select_related = ("tenant", "fleet")
    search_fields = ("reference", "name")
    ordering = ("tenant", "reference")
    editable_fields = ("name", "silent_after_s")

    def update(self, actor: Actor, row: Meter, fields: dict[str, Any]) -> None:
        services.update_meter(actor=actor, meter=row, **fields)


@admin.register(MeterMapping)
class MeterMappingAdmin(TenantAdmin):
    list_display = ("meter", "vehicle", "tenant", "begins", "ends")
    list_filter = (BY_TENANT,)
    list_select_related = ("meter", "vehicle", "tenant")
    search_fields = ("meter__reference", "vehicle__reference")
    ordering = ("meter__reference", "valid")

    @admin.display(description="from")
    def begins(self, mapping: MeterMapping) -> Any:
        return mapping.valid.lower

    @admin.display(description="to")
    def ends(self, mapping: MeterMapping) -> Any:
        return mapping.valid.upper


class CredentialInline(TabularInline):  # type: ignore[misc]
    model = DeviceCredential
    fields = ("prefix", "created_at", "revoked_at")
    readonly_fields = fields
    extra = 0
    can_delete = False
    ordering = ("-created_at",)

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # of a device that TenantAdmin has let them see


@admin.register(Device)
class DeviceAdmin(TenantAdmin):
    list_display = (
        "reference",
        "name",
        "tenant",
        "vehicle",
        "meter",
        "protocol",
        "health",
        "archived_at",
    )
    list_filter = (BY_TENANT, "protocol", IN_SERVICE)
    list_select_related = ("tenant", "vehicle", "meter")
    search_fields = ("reference", "name", "vehicle__reference", "meter__reference")
    ordering = ("tenant", "reference")
    editable_fields = ("name",)
    inlines = (CredentialInline,)
    actions = ("revoke",)

    def update(self, actor: Actor, row: Device, fields: dict[str, Any]) -> None:
        services.update_device(actor=actor, device=row, **fields)

    @admin.display(description="health")
    def health(self, device: Device) -> str:
        # What a device has sent is telemetry's to show; this room only knows the way.
        try:
            url = reverse("admin:telemetry_devicehealth_change", args=[device.pk])
        except NoReverseMatch:
            return "–"
        return format_html('<a href="{}">Last frames, lag, refusals</a>', url)

    @admin.action(
        description="Revoke the credentials of the selected devices", permissions=["change"]
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[Device]) -> None:
        self.for_each(
            request,
            queryset,
            lambda actor, device: services.revoke_credential(actor=actor, device=device),
            done="shut out",
        )
