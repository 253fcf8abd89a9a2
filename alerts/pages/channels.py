"""Channels: who can be told and how, tested on the spot, with the breaker of each endpoint."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts import channels, undo
from alerts.delivering import BREAKS_AFTER
from alerts.engine.spec import Period
from alerts.explaining import period_text
from alerts.forms.channel import ChannelForms
from alerts.forms.fields import Periods
from alerts.models import Channel, Delivery, DeliveryAttempt, DeliveryStatus
from alerts.notifiers.apprise import SERVICES
from alerts.pages.inbox import AlertsPage
from tenants.errors import DomainError
from tenants.models import Membership, Scope, User
from tenants.pages import refused

MEMBERS: Final = {"GET": Scope.TELEMETRY_READ, "POST": Scope.TELEMETRY_READ}
"""Everybody has contacts of their own; whose a channel is decides the rest."""


class ChannelsPage(AlertsPage):
    scopes = MEMBERS

    @property
    def own(self) -> User | None:
        """Who may change no contacts but their own; None: may change all."""
        return None if Scope.ALERTS_WRITE in self.actor.scopes else self.actor.user

    def channel(self, public_id: UUID, **by: Any) -> Channel:
        """One that the person may change."""
        channel = self.find(Channel, "user", public_id=public_id, **by)
        if not channels.may_change(self.actor, channel):
            raise PermissionDenied
        return channel


class ChannelList(ChannelsPage):
    """The organisation's first, then each person's."""

    template_name = "alerts/channels.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        dead = Delivery.objects.for_tenant(self.tenant).filter(
            channel=OuterRef("pk"), status=DeliveryStatus.DEAD
        )
        counted = dead.order_by().values("channel").annotate(n=Count("pk")).values("n")
        rows = (
            Channel.objects.for_tenant(self.tenant)
            .filter(archived_at=None)
            .select_related("user")
            .annotate(dead=Coalesce(Subquery(counted), 0))
            .order_by("user__email", "name")
        )
        people = Membership.objects.for_tenant(self.tenant).filter(user__is_active=True)
        members = set(people.values_list("user_id", flat=True))
        now = timezone.now()
        groups: dict[str, list[Channel]] = {}
        for row in rows:
            row.quiet = [  # type: ignore[attr-defined]
                period_text(Period(tuple(each["days"]), each["start"], each["end"]))
                for each in row.quiet_hours
            ]
            row.breaker = breaker_of(row, now)  # type: ignore[attr-defined]
            row.may_change = channels.may_change(self.actor, row)  # type: ignore[attr-defined]
            row.has_left = row.user_id is not None and row.user_id not in members  # type: ignore[attr-defined]
            groups.setdefault(row.user.email if row.user else "", []).append(row)
        ordered = sorted(groups.items())
        may_add = channels.may_add_own(self.actor) or self.own is None
        return self.show({"section": "channels", "groups": ordered, "may_add": may_add})


def breaker_of(channel: Channel, now: datetime) -> str:
    """`closed`, `failing` (closed, with failures in a row), `open`, `trying`."""
    if channel.paused_until is not None and channel.paused_until > now:
        return "open"
    if channel.failures >= BREAKS_AFTER:
        return "trying"
    return "failing" if channel.failures else "closed"


class NewChannel(ChannelsPage):
    template_name = "alerts/channel.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(self._forms())

    def _forms(self, data: QueryDict | None = None) -> ChannelForms:
        if self.own is not None and not channels.may_add_own(self.actor):
            raise PermissionDenied
        return ChannelForms(self.tenant, data, own=self.own)

    def post(self, request: HttpRequest) -> HttpResponse:
        forms = self._forms(request.POST)
        if forms.is_valid():
            data = forms.form.cleaned_data
            try:
                channel, secret = channels.create_channel(
                    actor=self.actor,
                    name=data["name"],
                    kind=data["kind"],
                    address=data["address"],
                    user=forms.form.user,
                    is_default=data["is_default"],
                    quiet_hours=forms.quiet_hours,
                )
            except DomainError as error:
                refused(forms.form, error)
            else:
                if secret:
                    return secret_shown_once(self, channel, secret)
                self.say(_("%(channel)s was added. Send it a test.") % {"channel": channel.name})
                return redirect("alert-channels")
        return self._page(forms, status=422)

    def _page(self, forms: ChannelForms, *, status: int = 200) -> HttpResponse:
        return self.show(_context(forms, None), status=status)


class EditChannel(ChannelsPage):
    template_name = "alerts/channel.html"

    def get(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        channel = self.channel(public_id, archived_at=None)
        forms = ChannelForms(self.tenant, channel=channel, own=self.own)
        return self.show(_context(forms, channel))

    def post(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        channel = self.channel(public_id, archived_at=None)
        forms = ChannelForms(self.tenant, request.POST, channel=channel, own=self.own)
        if forms.is_valid():
            data = dict(forms.form.cleaned_data)
            if not data["address"]:
                del data["address"]
            try:
                channels.update_channel(
                    actor=self.actor, channel=channel, quiet_hours=forms.quiet_hours, **data
                )
            except DomainError as error:
                refused(forms.form, error)
            else:
                self.say(_("%(channel)s was saved.") % {"channel": channel.name})
                return redirect("alert-channels")
        return self.show(_context(forms, channel), status=422)


def _context(forms: ChannelForms, channel: Channel | None) -> dict[str, Any]:
    return {
        "section": "channels",
        "form": forms.form,
        "periods": forms.periods,
        "empty": Periods(prefix="period").empty_form,
        "channel": channel,
        "services": SERVICES.items(),
    }


def secret_shown_once(page: AlertsPage, channel: Channel, secret: str) -> HttpResponse:
    """The one page that ever shows it."""
    context = {"section": "channels", "channel": channel, "secret": secret}
    response = page.show(context, template="alerts/secret.html")
    response["Cache-Control"] = "no-store"
    return response


class RotateSecret(ChannelsPage):
    def post(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        channel = self.channel(public_id, archived_at=None)
        try:
            secret = channels.rotate_secret(actor=self.actor, channel=channel)
        except DomainError as error:
            self.complain(error)
            return redirect("alert-channels")
        return secret_shown_once(self, channel, secret)


class TestChannel(ChannelsPage):
    """Send a test, then tell what became of it; the part asks again until it is known."""

    def post(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        channel = self.channel(public_id, archived_at=None)
        delivery = channels.send_test(actor=self.actor, channel=channel)
        if not self.is_fragment:
            self.say(_("A test is on its way to %(channel)s.") % {"channel": channel.name})
            return redirect("alert-deliveries")
        return self.show(answer_of(self, delivery), template="alerts/test.html")


class TestAnswer(AlertsPage):
    """What became of a test so far."""

    def get(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        delivery = self.find(Delivery, "channel", key=public_id)
        return self.show(answer_of(self, delivery), template="alerts/test.html")


def answer_of(page: AlertsPage, delivery: Delivery) -> dict[str, Any]:
    log = DeliveryAttempt.objects.for_tenant(page.tenant).filter(delivery=delivery)
    waits = delivery.status in (DeliveryStatus.QUEUED, DeliveryStatus.SENDING)
    return {"delivery": delivery, "attempt": log.order_by("-id").first(), "waits": waits}


class ArchiveChannel(ChannelsPage):
    def post(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        channel = self.channel(public_id)
        channels.archive_channel(actor=self.actor, channel=channel)
        address = reverse("channel-restore", args=[channel.public_id])
        self.say(_("%(channel)s was removed.") % {"channel": channel.name}, undo=address)
        return redirect("alert-channels")


class RestoreChannel(ChannelsPage):
    def post(self, request: HttpRequest, public_id: UUID) -> HttpResponse:
        channel = self.channel(public_id)
        try:
            undo.restore_channel(actor=self.actor, channel=channel)
        except DomainError as error:
            self.complain(error)
        else:
            self.say(_("%(channel)s is back.") % {"channel": channel.name})
        return redirect("alert-channels")
