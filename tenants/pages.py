"""What every page of the console builds on: the person's organisation, bound once, here.

The API has the same in `tenants.api.views`; both let nobody in where no scope was named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.functional import cached_property
from django.views import View

from tenants.actors import Actor
from tenants.errors import DomainError
from tenants.models import Organisation, Scope, User
from tenants.scoping import TenantOwned
from tenants.selectors import actor_for_request, memberships_of

T = TypeVar("T", bound=TenantOwned)

CAPABILITIES = {scope.value.replace(":", "_"): scope.value for scope in Scope}
"""What templates ask for as `can.fleet_write`."""


class MemberPage(View):
    """A page inside the person's organisation. `scopes` maps methods to the scope they need.

    A method without a scope lets nobody in. What belongs to another organisation does not
    exist: 404. What one's role may not do is refused: 403.
    """

    scopes: ClassVar[Mapping[str, Scope]] = {}
    page: ClassVar[str] = ""
    """Which entry of the rail is the current one."""
    template_name: ClassVar[str] = ""
    actor: Actor

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        actor = actor_for_request(request)
        if actor is None:
            return render(request, "telemetry/no_organisation.html", status=403)
        method = request.method or ""
        if not hasattr(self, method.lower()):
            return self.http_method_not_allowed(request)
        scope = self.scopes.get("GET" if method in ("HEAD", "OPTIONS") else method)
        if scope is None or scope not in actor.scopes:
            raise PermissionDenied
        self.actor = actor
        # So that the shell need not ask again.
        request.actor = actor  # type: ignore[attr-defined]
        return super().dispatch(request, *args, **kwargs)

    @property
    def tenant(self) -> Organisation:
        return self.actor.tenant

    def find(self, model: type[T], *joined: str, **by: Any) -> T:
        """The organisation's row; another's does not exist."""
        rows = model.objects.for_tenant(self.tenant).select_related(*joined)
        row = rows.filter(**by).first()
        if row is None:
            raise Http404
        return row

    def show(
        self, context: Mapping[str, Any] | None = None, *, template: str = "", status: int = 200
    ) -> HttpResponse:
        """Render the page's template, or another one."""
        return render(
            self.request,
            template or self.template_name,
            {"page": self.page, "actor": self.actor, **(context or {})},
            status=status,
        )

    def say(self, text: str, *, undo: str = "") -> None:
        """Tell the person what was done; `undo`: the address that takes it back by POST."""
        messages.success(self.request, text, extra_tags=undo)

    def complain(self, error: DomainError) -> None:
        """Tell the person what was refused and why."""
        messages.error(self.request, error.detail)

    @property
    def is_fragment(self) -> bool:
        """Asked for by htmx, which swaps a part of the page."""
        return self.request.headers.get("HX-Request") == "true"


def refused(form: Form, error: DomainError) -> None:
    """Show a service's refusal at the field it is about, else above the form."""
    field: str | None = error.extra.get("field")
    field = {"id": "reference", "from": "valid_from", "to": "valid_to"}.get(field or "", field)
    form.add_error(field if field in form.fields else None, error.detail)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: which organisation one is in, and what one may do there."""
    if not hasattr(request, "user") or not request.user.is_authenticated:
        return {}
    return {"shell": Shell(request)}


class Shell:
    """Read when a template asks, once; a page without a rail costs no query."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def actor(self) -> Actor | None:
        actor: Actor | None = getattr(self._request, "actor", None)
        return actor or actor_for_request(self._request)

    @property
    def organisation(self) -> Organisation | None:
        return self.actor.tenant if self.actor else None

    @cached_property
    def organisations(self) -> list[Organisation]:
        """Where the person may switch to, the current one among them."""
        user = self._request.user
        found = [m.tenant for m in memberships_of(user)] if isinstance(user, User) else []
        # Support staff look into an organisation that they are no members of.
        current = self.organisation
        return found if current is None or current in found else [current, *found]

    @cached_property
    def can(self) -> dict[str, bool]:
        held = self.actor.scopes if self.actor else frozenset()
        return {name: scope in held for name, scope in CAPABILITIES.items()}
