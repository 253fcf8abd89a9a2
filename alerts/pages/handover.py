"""Since you left: the page of a person who comes back, to be read or handed on as text."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from alerts.handover import handover
from alerts.handover_text import as_text
from telemetry.pages.period import moment_of
from tenants.activity import left_at
from tenants.models import Scope, User
from tenants.pages import MemberPage
from tenants.preferences import zone_of

LEFT: Final = "left"
SHIFTS: Final[dict[str, tuple[timedelta, str | Promise]]] = {
    "8h": (timedelta(hours=8), _("8 hours")),
    "12h": (timedelta(hours=12), _("12 hours")),
    "24h": (timedelta(hours=24), _("24 hours")),
    "3d": (timedelta(days=3), _("3 days")),
}
USUAL: Final = "12h"
LONGEST: Final = timedelta(days=7)
SHORTEST: Final = timedelta(minutes=1)


class HandoverPage(MemberPage):
    """`?since=left`, a shift's length, or a moment; at most a week back."""

    page = "live"
    scopes = {"GET": Scope.TELEMETRY_READ}
    template_name = "handover/page.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        left = self._left(now)
        name, since = self._since(now, left)
        told = handover(self.tenant.pk, since=since, now=now)
        context = {
            "told": told,
            "text": as_text(told, self.tenant.name, zone_of(self.tenant)),
            "name": name,
            "left": left,
            "shifts": [(shift, label) for shift, (_length, label) in SHIFTS.items()],
            "wall": f"{since.astimezone(zone_of(self.tenant)):%Y-%m-%dT%H:%M}",
        }
        response = self.show(context)
        response["Cache-Control"] = "private, no-store"
        return response

    def _left(self, now: datetime) -> datetime | None:
        person = self.actor.user
        return left_at(person, now) if isinstance(person, User) else None

    def _since(self, now: datetime, left: datetime | None) -> tuple[str, datetime]:
        """What is asked for; what makes no sense asks for what one most likely wants."""
        asked = self.request.GET.get("since", LEFT)
        if asked in SHIFTS:
            return asked, now - SHIFTS[asked][0]
        picked = moment_of(asked, zone_of(self.tenant))
        if picked is not None and picked < now:
            return "", min(max(picked, now - LONGEST), now - SHORTEST)
        return (LEFT, max(left, now - LONGEST)) if left else (USUAL, now - SHIFTS[USUAL][0])
