"""The API's description: scopes named at each operation, one error shape everywhere."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import SAFE_METHODS

from tenants.models import Scope

PROBLEM = {
    "type": "object",
    "description": "An error, as RFC 9457 defines it.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable: programs decide by it."},
        "detail": {"type": "string", "description": "A sentence for a person."},
        "instance": {"type": "string", "description": "The path of the request."},
        "request_id": {"type": ["string", "null"], "description": "Quote it to support."},
        "retry_after": {"type": "integer", "description": "Seconds; also in Retry-After."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {
                    "field": {"type": "string", "description": "Dotted path; empty: the body."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}
_ANSWER = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
}


class ScopedSchema(AutoSchema):
    """Adds the scope that an operation needs to its description."""

    def get_description(self) -> str:  # type: ignore[override]
        described = str(super().get_description() or "")
        required = getattr(self.view, "required_scopes", {})
        scope = required.get(getattr(self.view, "action", None) or "") or required.get(self.method)
        if not isinstance(scope, Scope):
            return described
        return f"{described}\n\nScope: `{scope.value}`".strip()

    def get_tags(self) -> list[str]:
        """By the first part of the path: /v1/vehicles/{id} belongs to "vehicles"."""
        return [self.path.removeprefix("/v1/").split("/")[0]]


def describe_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Every operation answers its errors with the same problem object."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            if isinstance(operation, dict) and "responses" in operation:
                for status, description in _errors_of(path, method.upper(), operation):
                    operation["responses"].setdefault(
                        status, {"description": description, **_ANSWER}
                    )
    return result


def _errors_of(path: str, method: str, operation: dict[str, Any]) -> list[tuple[str, str]]:
    errors = [("default", "Refused")]
    if operation.get("security"):
        errors += [("401", "Not authenticated"), ("403", "Scope missing")]
        errors += [("429", "Over the rate limit: see Retry-After")]
    if "{" in path:
        errors.append(("404", "Not here, or not yours"))
    if method not in SAFE_METHODS:
        errors += [("409", "In conflict with the present state")]
    if "requestBody" in operation:
        errors += [("400", "Not JSON"), ("413", "Too large"), ("415", "Not application/json")]
        errors += [("422", "Not valid: see `errors`")]
    return errors


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "tenants.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API token: `ort_…`"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "tenants.api.authentication.MemberSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
