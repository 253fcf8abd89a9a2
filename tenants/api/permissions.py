"""Scopes decide; a view that forgot to name one lets nobody in."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tenants.actors import Actor
from tenants.errors import DomainError
from tenants.models import Scope


class HasScope(BasePermission):
    """Requires what `view.required_scopes` names for the action, else for the method.

    Keys are a viewset's action (`"rotate"`) or an HTTP method (`"GET"`).
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, Actor):
            # DRF turns this into 401: nobody has been authenticated.
            return False
        action = getattr(view, "action", None)
        method = request.method or ""
        name = method.lower()
        if name not in view.http_method_names or not hasattr(view, name):
            raise MethodNotAllowed(method)
        required: Mapping[str, Scope] = getattr(view, "required_scopes", {})
        scope = required.get(action or "") or required.get(method)
        if scope is None:
            raise DomainError("scope_undefined", 403, "Nobody may do this.")
        request.auth.require(scope)
        return True
