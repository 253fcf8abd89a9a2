"""What the live page asks for beside its socket: the vehicle that was just selected, since when
those in sight do what they do, and the fleet at a past moment. All bounded, all as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page

from fleet.models import Vehicle
from telemetry import holding, lately, past, saved_views
from telemetry.clock import to_us
from telemetry.pages.period import moment_of
from tenants.errors import DomainError
from tenants.models import Scope
from tenants.pages import MemberPage

MOST_LETTERS: Final = 64


class LivePart(MemberPage):
    """Never kept by anybody on the way: it is of this moment and of this organisation."""

    scopes = {"GET": Scope.TELEMETRY_READ}

    def answer(self, body: dict[str, Any], *, status: int = 200) -> HttpResponse:
        return HttpResponse(
            msgspec.json.encode(body),
            content_type="application/json",
            status=status,
            headers={"Cache-Control": "private, no-store"},
        )


@method_decorator(gzip_page, name="dispatch")
class Lately(LivePart):
    """Of one vehicle: its last hour and its day so far."""

    def get(self, request: HttpRequest, vehicle_id: str) -> HttpResponse:
        vehicle = self.find(Vehicle, reference=vehicle_id)
        now = timezone.now()
        midnight = datetime.combine(
            now.astimezone(zone := ZoneInfo(self.tenant.time_zone)).date(), time(), tzinfo=zone
        )
        today = lately.today(vehicle, start=midnight.astimezone(UTC), now=now)
        return self.answer({**lately.last_hour(vehicle, now=now), "today": today})


class Since(LivePart):
    """`?of=idle:V1&of=parked:V2`: since when they are. What does not exist is left out."""

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = {}
        for each in request.GET.getlist("of")[: holding.MOST]:
            status, _separator, reference = each.partition(":")
            # PostgreSQL takes no NUL in a text.
            if 0 < len(reference) <= MOST_LETTERS and "\0" not in reference:
                asked[reference] = status
        return self.answer({"since": holding.since(self.tenant.pk, asked, now=timezone.now())})


class _Wish(msgspec.Struct, forbid_unknown_fields=True):
    """A view to save (`name`, `query`), or to share, unshare or delete (`id`)."""

    name: str = ""
    query: str = ""
    id: UUID | None = None
    shared: bool | None = None
    delete: bool = False


class Views(LivePart):
    """Named views; answers with all that there are now."""

    scopes = {"GET": Scope.TELEMETRY_READ, "POST": Scope.TELEMETRY_READ}

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer({"views": saved_views.views_for(self.actor)})

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            self._carry_out(msgspec.json.decode(request.body, type=_Wish))
        except (msgspec.DecodeError, UnicodeError):
            return self.answer({"detail": _("That is no view.")}, status=400)
        except DomainError as error:
            return self.answer({"detail": error.detail}, status=error.status)
        return self.get(request)

    def _carry_out(self, wish: _Wish) -> None:
        if wish.id is None:
            saved_views.save(actor=self.actor, name=wish.name, query=wish.query)
        elif wish.delete:
            saved_views.delete(actor=self.actor, view_id=wish.id)
        elif wish.shared is not None:
            saved_views.share(actor=self.actor, view_id=wish.id, shared=wish.shared)


@method_decorator(gzip_page, name="dispatch")
class Past(LivePart):
    """`?at=2026-03-01T10:42:00Z`: where everybody was and what they did."""

    def get(self, request: HttpRequest) -> HttpResponse:
        at = moment_of(request.GET.get("at", ""), ZoneInfo(self.tenant.time_zone))
        if at is None:
            return self.answer(
                {"detail": _("Give a moment, such as 2026-03-01T10:42Z.")}, status=400
            )
        at = min(at, timezone.now())
        return self.answer({"at_us": to_us(at), "vehicles": past.fleet_at(self.tenant.pk, at)})
