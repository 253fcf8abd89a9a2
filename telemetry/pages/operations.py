"""Operations: how the installation is doing, for owners and for support staff; live."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views import View

from telemetry import figures
from telemetry.figures import Counters
from tenants.models import Scope, User
from tenants.pages import MemberPage
from tenants.selectors import actor_for_request

SALT = "operations.counters"


class Operations(MemberPage):
    """An owner sees the readings of the organisation; staff, who belong to none, those of all.

    `before` in the address are the counters of the last look, signed: rates are the
    difference.
    """

    page = "operations"
    scopes = {"GET": Scope.ORG_ADMIN}
    template_name = "operations/page.html"
    everywhere = False

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        if isinstance(user, User) and user.is_active and user.is_staff:
            if request.method not in ("GET", "HEAD"):
                return self.http_method_not_allowed(request)
            actor = actor_for_request(request)
            self.everywhere = actor is None or Scope.ORG_ADMIN not in actor.scopes
            if self.everywhere:
                return View.dispatch(self, request, *args, **kwargs)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        tenant_id = None if self.everywhere else self.tenant.pk
        now = timezone.now()
        counted = figures.counters(tenant_id, now)
        before = _before(request.GET.get("before", ""), tenant_id)
        rates = counted.rates_since(before) if before else None
        pipeline = figures.pipeline(tenant_id, now)
        context = {
            "page": self.page,
            "everywhere": self.everywhere,
            "counted": counted,
            "rates": rates,
            "health": figures.health(tenant_id, now),
            "pipeline": pipeline,
            "ingress": pipeline.logs[0] if pipeline else None,
            "database": figures.database(),
            "batches": figures.writer_batches(),
            "now": now,
            "token": signing.dumps(
                [counted.at.timestamp(), counted.readings, counted.refused, tenant_id], salt=SALT
            ),
        }
        if not self.everywhere:
            context["actor"] = self.actor
        template = "operations/figures.html" if self.is_fragment else self.template_name
        response = render(request, template, context)
        response["Vary"] = "HX-Request, Cookie"
        response["Cache-Control"] = "private, no-store"
        return response


def _before(token: str, tenant_id: int | None) -> Counters | None:
    """The counters of the last look; None for a first one, an old or a made-up one."""
    try:
        at, readings, refused, of = signing.loads(token, salt=SALT, max_age=600)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    if of != tenant_id:
        return None
    return Counters(datetime.fromtimestamp(at, UTC), readings, refused)
