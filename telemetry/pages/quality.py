"""Data quality: what was refused, why, from whom and when; and the button that tries again."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncDay, TruncHour
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from fleet.models import Device
from telemetry.frames import hex_dump, readable, reason
from telemetry.models import QuarantinedFrame
from telemetry.models.quarantine import ACCEPTED
from telemetry.pages.period import moment_of
from telemetry.pages.refusals import faults, strangers
from telemetry.quarantine import replay
from tenants.audit import record
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage
from tenants.preferences import zone_of
from tenants.tables import Column, page_of

PERIODS = {
    "24h": (timedelta(hours=24), gettext_lazy("24 hours")),
    "7d": (timedelta(days=7), gettext_lazy("7 days")),
    "30d": (timedelta(days=30), gettext_lazy("30 days")),
    "90d": (timedelta(days=90), gettext_lazy("90 days")),
}
TOP_DEVICES = 8
HOURLY = timedelta(hours=49)
"""Up to here a bar is an hour, beyond it a day."""
SHOWN_BYTES = 1024
MOST_REPLAYED = 200
COLUMNS = (
    Column("time", gettext_lazy("Received"), "received_at", is_time=True),
    Column("device", gettext_lazy("Device")),
    Column("reason", gettext_lazy("Reason")),
    Column("field", gettext_lazy("Field")),
    Column("detail", gettext_lazy("Detail")),
    Column("replayed", gettext_lazy("Replayed")),
)


class Quality(MemberPage):
    """Bounded by the period: at most 90 days, which is as long as refusals are kept."""

    page = "quality"
    scopes = {"GET": Scope.FLEET_READ}
    template_name = "things/quality.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        period, since, until = self._span()
        everything = QuarantinedFrame.objects.filter(
            tenant_id=self.tenant.pk, received_at__gte=since, received_at__lt=until
        )
        rows, device = self._narrowed(everything)
        table = page_of(rows, columns=COLUMNS, query=request.GET, default="-time", tie="log_id")
        frames = self._shown(table.rows)
        reasons = self._reasons(everything)
        return self.show(
            {
                "period": period,
                "periods": [(name, label) for name, (_length, label) in PERIODS.items()],
                "table": table,
                "frames": frames,
                "reasons": reasons,
                "total": sum(each["n"] for each in reasons),
                "devices": self._devices(everything),
                "faults": faults(rows, self.tenant),
                "strangers": strangers(everything),
                "bars": self._bars(rows, since, until, hourly=until - since <= HOURLY),
                "since": since,
                "until": until,
                "wall": {
                    name: f"{at.astimezone(self.zone):%Y-%m-%dT%H:%M}"
                    for name, at in (("since", since), ("until", until))
                },
                "query": request.GET,
                "device": device,
                "can_replay": Scope.FLEET_WRITE in self.actor.scopes,
                "filtered": any(request.GET.get(name) for name in ("code", "device", "field")),
            }
        )

    @property
    def zone(self) -> ZoneInfo:
        return zone_of(self.tenant)

    def _span(self) -> tuple[str, datetime, datetime]:
        """A named period that ends now, or one that was picked, of at most the longest."""
        now = timezone.now()
        start = moment_of(self.request.GET.get("from", ""), self.zone)
        end = moment_of(self.request.GET.get("to", ""), self.zone) or now
        if start is not None and start < min(end, now):
            end = min(end, now)
            return "", max(start, end - PERIODS["90d"][0]), end
        name = self.request.GET.get("period", "")
        name = name if name in PERIODS else "7d"
        return name, now - PERIODS[name][0], now + timedelta(seconds=1)

    def _narrowed(
        self, rows: QuerySet[QuarantinedFrame]
    ) -> tuple[QuerySet[QuarantinedFrame], Device | None]:
        code = self.request.GET.get("code", "").replace("\x00", "")
        if code:
            rows = rows.filter(code=code)
        if field := self.request.GET.get("field", "").replace("\x00", ""):
            rows = rows.filter(field=field)
        reference = self.request.GET.get("device", "").replace("\x00", "")
        if not reference:
            return rows, None
        # Typed by hand: what is no device of ours has nothing to show, rather than no page.
        device = Device.objects.for_tenant(self.tenant).filter(reference=reference).first()
        return (rows.filter(device_id=device.pk) if device else rows.none()), device

    def _shown(self, rows: Any) -> list[dict[str, Any]]:
        devices = Device.objects.for_tenant(self.tenant).in_bulk(
            {row.device_id for row in rows if row.device_id}
        )
        return [
            {
                "row": row,
                "device": devices.get(row.device_id),
                "reason": reason(row.code),
                "text": readable(row.raw),
                "bytes": hex_dump(bytes(row.raw[:SHOWN_BYTES])),
            }
            for row in rows
        ]

    def _reasons(self, rows: QuerySet[QuarantinedFrame]) -> list[dict[str, Any]]:
        counted = list(rows.values("code").annotate(n=Count("pk")).order_by("-n", "code"))
        most = max((each["n"] for each in counted), default=1)
        return [
            {**each, "reason": reason(each["code"]), "share": 100 * each["n"] / most}
            for each in counted
        ]

    def _devices(self, rows: QuerySet[QuarantinedFrame]) -> list[dict[str, Any]]:
        counted = list(
            rows.filter(device_id__isnull=False)
            .values("device_id")
            .annotate(n=Count("pk"))
            .order_by("-n")[:TOP_DEVICES]
        )
        names = Device.objects.for_tenant(self.tenant).in_bulk([c["device_id"] for c in counted])
        most = max((each["n"] for each in counted), default=1)
        return [
            {"device": names[each["device_id"]], "n": each["n"], "share": 100 * each["n"] / most}
            for each in counted
            if each["device_id"] in names
        ]

    def _bars(
        self, rows: QuerySet[QuarantinedFrame], since: datetime, until: datetime, *, hourly: bool
    ) -> list[dict[str, Any]]:
        """Refusals by hour or day, in the organisation's zone; empty ones too."""
        zone = self.zone
        cut = TruncHour if hourly else TruncDay
        counted: dict[datetime, int] = dict(
            rows.annotate(at=cut("received_at", tzinfo=zone))
            .values_list("at")
            .annotate(n=Count("pk"))
            .order_by("at")
        )
        start = since.astimezone(zone).replace(minute=0, second=0, microsecond=0)
        start = start if hourly else start.replace(hour=0)
        end = until.astimezone(zone)
        most = max(counted.values(), default=0)
        bars = []
        while start <= end:
            n = counted.get(start, 0)
            bars.append({"at": start, "n": n, "share": 100 * n / most if most else 0})
            # Wall-clock days: one of them may have 23 or 25 hours.
            start = (
                (start.astimezone(ZoneInfo("UTC")) + timedelta(hours=1)).astimezone(zone)
                if hourly
                else start + timedelta(days=1)
            )
        return bars


class Replay(MemberPage):
    """Judges chosen frames again, by the rules and the fleet of today."""

    page = "quality"
    scopes = {"POST": Scope.FLEET_WRITE}

    def post(self, request: HttpRequest) -> HttpResponse:
        chosen = [each for each in request.POST.getlist("frame") if "\x00" not in each]
        frames = QuarantinedFrame.objects.filter(
            tenant_id=self.tenant.pk, log_id__in=chosen[:MOST_REPLAYED]
        )
        try:
            outcomes = replay(frames.order_by("received_at"))
        except DomainError as error:
            self.complain(error)
        else:
            self._record(outcomes)
        return redirect(f"{reverse('quality')}?{request.GET.urlencode()}")

    def _record(self, outcomes: Counter[str]) -> None:
        total = sum(outcomes.values())
        if not total:
            self.complain(DomainError("nothing_chosen", 422, _("Choose the frames to replay.")))
            return
        record(
            self.actor,
            "quarantine.replayed",
            f"{total} frames",
            changes={outcome: (None, n) for outcome, n in outcomes.items()},
        )
        good = outcomes[ACCEPTED]
        text = ngettext(
            "%(good)d of %(n)d frame was accepted.",
            "%(good)d of %(n)d frames were accepted.",
            total,
        )
        self.say(text % {"good": good, "n": total})
