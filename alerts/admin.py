"""Rules, alerts and deliveries, for support staff inside a support access. Read-only: what
happens to an alert is the customer's doing, and stands in its history."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin import RelatedOnlyFieldListFilter

from alerts.models import (
    Alert,
    AlertTransition,
    Channel,
    Delivery,
    DeliveryAttempt,
    DryRun,
    Rule,
    RuleVersion,
    SilenceWatch,
)
from fleet.geofences import Geofence
from tenants.admin_base import TenantAdmin

BY_TENANT = ("tenant", RelatedOnlyFieldListFilter)


@admin.register(Rule)
class RuleAdmin(TenantAdmin):
    list_display = ("name", "tenant", "current", "enabled", "disabled_reason", "archived_at")
    list_filter = (BY_TENANT, "enabled", "current__kind")
    list_select_related = ("tenant", "current")
    search_fields = ("name", "disabled_reason")
    ordering = ("tenant", "name")


@admin.register(RuleVersion)
class RuleVersionAdmin(TenantAdmin):
    list_display = ("rule", "number", "kind", "tenant", "created_at", "created_by")
    list_filter = (BY_TENANT, "kind")
    list_select_related = ("tenant", "rule")
    search_fields = ("rule__name",)
    ordering = ("-created_at",)


@admin.register(Alert)
class AlertAdmin(TenantAdmin):
    list_display = (
        "title",
        "subject_label",
        "tenant",
        "state",
        "severity",
        "late",
        "opened_at",
        "resolved_at",
    )
    list_filter = (BY_TENANT, "state", "severity", "late")
    list_select_related = ("tenant",)
    search_fields = ("title", "subject_reference", "subject_label")
    ordering = ("-opened_at",)


@admin.register(AlertTransition)
class AlertTransitionAdmin(TenantAdmin):
    list_display = ("alert", "change", "tenant", "at", "actor_label", "reading_time", "late")
    list_filter = (BY_TENANT, "change", "late")
    list_select_related = ("tenant", "alert")
    search_fields = ("alert__title", "note", "actor_label")
    ordering = ("-at",)


@admin.register(Channel)
class ChannelAdmin(TenantAdmin):
    list_display = ("name", "kind", "address", "tenant", "enabled", "failures", "paused_until")
    list_filter = (BY_TENANT, "kind", "enabled")
    list_select_related = ("tenant",)
    search_fields = ("name", "address")
    ordering = ("tenant", "name")
    exclude = ("sealed",)


@admin.register(Delivery)
class DeliveryAdmin(TenantAdmin):
    list_display = ("key", "event", "channel", "tenant", "status", "attempts", "due_at", "sent_at")
    list_filter = (BY_TENANT, "status", "event")
    list_select_related = ("tenant", "channel")
    search_fields = ("channel__name", "alert__title")
    ordering = ("-created_at",)


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(TenantAdmin):
    list_display = ("delivery", "tenant", "at", "succeeded", "response_status", "failure")
    list_filter = (BY_TENANT, "succeeded", "response_status")
    list_select_related = ("tenant", "delivery")
    search_fields = ("failure",)
    ordering = ("-at",)


@admin.register(SilenceWatch)
class SilenceWatchAdmin(TenantAdmin):
    list_display = ("rule", "kind", "subject_id", "tenant", "heard_at", "due_at", "is_open")
    list_filter = (BY_TENANT, "is_open", "kind")
    list_select_related = ("tenant", "rule")
    search_fields = ("rule__name",)
    ordering = ("due_at",)


@admin.register(DryRun)
class DryRunAdmin(TenantAdmin):
    list_display = ("public_id", "tenant", "count", "subjects_done", "created_at", "finished_at")
    list_filter = (BY_TENANT,)
    list_select_related = ("tenant",)
    search_fields = ("failure",)
    ordering = ("-created_at",)


@admin.register(Geofence)
class GeofenceAdmin(TenantAdmin):
    list_display = ("reference", "name", "tenant", "created_at", "archived_at")
    list_filter = (BY_TENANT,)
    list_select_related = ("tenant",)
    search_fields = ("reference", "name")
    ordering = ("tenant", "reference")
