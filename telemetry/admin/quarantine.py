"""The quarantine: what was refused and why, and back through the door once the cause is fixed."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from fleet.models import Device
from telemetry import quarantine
from telemetry.models import QuarantinedFrame
from telemetry.models.quarantine import ACCEPTED
from tenants.admin_base import TenantAdmin
from tenants.audit import record
from tenants.errors import DomainError
from tenants.models import Organisation

AT_ONCE = 5000
"""Frames that one action replays."""


class ByTenant(admin.SimpleListFilter):
    """By organisation, of those the member of staff may look into."""

    title = "organisation"
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        ids = model_admin.get_queryset(request).order_by().values("tenant_id").distinct()
        names = Organisation.objects.filter(pk__in=ids).values_list("pk", "name")
        return [(str(pk), name) for pk, name in names.order_by("name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return queryset.filter(tenant_id=int(value)) if value.isdecimal() else queryset


class Replayed(admin.SimpleListFilter):
    """By what became of a replay."""

    title = "replay"
    parameter_name = "replay"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("never", "never replayed"), ("accepted", "accepted"), ("refused", "refused again")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "never":
                return queryset.filter(replayed_at__isnull=True)
            case "accepted":
                return queryset.filter(replay_outcome=ACCEPTED)
            case "refused":
                replayed = queryset.filter(replayed_at__isnull=False)
                return replayed.exclude(replay_outcome=ACCEPTED)
        return queryset


@admin.register(QuarantinedFrame)
class QuarantinedFrameAdmin(TenantAdmin):
    shows_rows_without_tenant = True
    list_display = (
        "received_at",
        "organisation",
        "device",
        "code",
        "field",
        "detail",
        "adapter",
        "replay_outcome",
    )
    list_filter = (
        "code",
        ("adapter", admin.AllValuesFieldListFilter),
        ByTenant,
        Replayed,
        "received_at",
    )
    search_fields = ("detail", "field")
    ordering = ("-received_at", "-pk")
    exclude = ("raw", "tenant_id", "device_id")
    readonly_fields = ("organisation", "device", "as_text", "as_hex")
    actions = ("replay",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        organisation = Organisation.objects.filter(pk=OuterRef("tenant_id")).values("name")
        device = Device.unscoped.filter(pk=OuterRef("device_id")).values("reference")
        queryset: QuerySet[Any] = super().get_queryset(request)
        queryset = queryset.annotate(
            _organisation=Subquery(organisation[:1]), _device=Subquery(device[:1])
        )
        return queryset

    @admin.display(description="organisation", ordering="_organisation")
    def organisation(self, frame: Any) -> str:
        return frame._organisation or "not known"

    @admin.display(description="device", ordering="_device")
    def device(self, frame: Any) -> str:
        return frame._device or ("integration" if frame.device_id is None else "gone")

    @admin.display(description="as text")
    def as_text(self, frame: QuarantinedFrame) -> SafeString:
        text = bytes(frame.raw).decode("utf-8", "backslashreplace").replace("\0", "\\0")
        cut = "" if frame.raw_size <= len(frame.raw) else f"\n… of {frame.raw_size} bytes"
        return format_html('<pre style="white-space: pre-wrap">{}{}</pre>', text, cut)

    @admin.display(description="first bytes")
    def as_hex(self, frame: QuarantinedFrame) -> SafeString:
        return format_html("<pre>{}</pre>", hex_dump(bytes(frame.raw[:512])))

    @admin.action(description="Replay the selected frames")
    def replay(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        frames = list(queryset.order_by("received_at", "pk")[:AT_ONCE])
        try:
            outcomes = quarantine.replay(frames)
        except DomainError as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
            return
        self._record(request, frames)
        accepted = outcomes.pop(ACCEPTED, 0)
        level = messages.SUCCESS if accepted else messages.WARNING
        told = [f"{accepted} accepted", *(f"{n} × {why}" for why, n in outcomes.most_common(5))]
        self.message_user(request, "; ".join(told), level)

    def _record(self, request: HttpRequest, frames: list[QuarantinedFrame]) -> None:
        """One entry in the audit trail of each organisation concerned."""
        counts = Counter(frame.tenant_id for frame in frames if frame.tenant_id is not None)
        for tenant in Organisation.objects.filter(pk__in=counts):
            actor = self.actor(request, tenant)
            record(actor, "quarantine.replayed", f"{counts[tenant.pk]} frames")


def hex_dump(data: bytes) -> str:
    """`00000000  7b 22 73 65 …  {"se…`, sixteen bytes a line."""
    lines = []
    for at in range(0, len(data), 16):
        line = data[at : at + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in line)
        lines.append(f"{at:08x}  {line.hex(' '):<47}  {shown}")
    return "\n".join(lines)
