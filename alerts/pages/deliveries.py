"""The delivery log: every message with its request, its answer and the time it took."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts import channels
from alerts.models import Channel, Delivery, DeliveryAttempt, DeliveryEvent, DeliveryStatus
from alerts.pages.inbox import AlertsPage, back
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.tables import Column, page_of

MOST: Final = 200
"""Messages that are sent again by one request."""
UNDER_WAY: Final = (DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.COLLECTED)
PARTS: Final = {
    "": Q(),
    "dead": Q(status=DeliveryStatus.DEAD),
    "waiting": Q(status__in=UNDER_WAY),
    "sent": Q(status=DeliveryStatus.SENT),
}
COUNTED: Final = ("dead", "waiting")


class Deliveries(AlertsPage):
    template_name = "alerts/deliveries.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = {name: request.GET.get(name, "").replace("\0", "") for name in
                 ("status", "channel", "event")}  # fmt: skip
        everything = self._narrowed(asked)
        part = asked["status"] if asked["status"] in PARTS else ""
        log = Prefetch("log", DeliveryAttempt.objects.for_tenant(self.tenant).order_by("id"))
        page = page_of(
            everything.filter(PARTS[part]).select_related("channel", "alert").prefetch_related(log),
            columns=[Column("at", _("When"), "created_at", is_time=True)],
            query=request.GET,
            default="-at",
            tie="key",
        )
        numbers = everything.aggregate(
            **{name: Count("pk", filter=PARTS[name]) for name in COUNTED}
        )
        labels = {"": _("All"), "dead": _("Given up"), "waiting": _("Waiting"), "sent": _("Sent")}
        query = request.GET.copy()
        parts = []
        for name, label in labels.items():
            for key in ("status", "after", "before"):
                query.pop(key, None)
            if name:
                query["status"] = name
            parts.append(("?" + query.urlencode(), label, numbers.get(name), name == part))
        rows = Channel.objects.for_tenant(self.tenant).order_by("name")
        return self.show(
            {
                "section": "deliveries",
                "deliveries": page.rows,
                "table": page,
                "states": parts,
                "part": part,
                "asked": asked,
                "channels": [(str(pk), n) for pk, n in rows.values_list("public_id", "name")],
                "events": DeliveryEvent.choices,
            }
        )

    def _narrowed(self, asked: dict[str, str]) -> QuerySet[Delivery]:
        rows = Delivery.objects.for_tenant(self.tenant)
        if asked["event"] in DeliveryEvent.values:
            rows = rows.filter(event=asked["event"])
        try:
            return rows.filter(channel__public_id=UUID(asked["channel"]))
        except ValueError:
            return rows


class Resend(AlertsPage):
    """Send one or many once more, with the same keys."""

    scopes = {"POST": Scope.ALERTS_WRITE}

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            keys = [UUID(text) for text in request.POST.getlist("delivery")[:MOST]]
        except ValueError:
            keys = []
        found = list(Delivery.objects.for_tenant(self.tenant).filter(key__in=keys))
        sent = 0
        for delivery in found:
            try:
                channels.resend(actor=self.actor, delivery=delivery)
                sent += 1
            except DomainError as error:
                self.complain(error)
        if not found:
            self.complain(DomainError("nothing_ticked", 422, _("Tick a message first.")))
        if sent:
            text = ngettext(
                "%(n)d message is on its way again.", "%(n)d messages are on their way again.", sent
            )
            self.say(text % {"n": sent})
        return redirect(back(request))
