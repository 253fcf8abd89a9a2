"""Errors as `application/problem+json` (RFC 9457).

Everything under `/v1/` answers its errors this way: what views raise, what the
framework answers by itself (unknown URL, wrong host, crash), and what DRF refuses.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, cast

import msgspec
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from tenants.errors import PROBLEM_TYPE, DomainError, problem

API_PREFIX = "/v1/"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_encode = msgspec.json.Encoder(decimal_format="number").encode

_CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    429: "throttled",
    500: "internal_error",
    503: "unavailable",
}
_DETAILS = {
    404: "There is nothing here, or it is not yours.",
    405: "This method is not offered here.",
    500: "Something went wrong on our side. It has been recorded.",
}


def _about(request: HttpRequest | None) -> dict[str, Any]:
    """What a problem object says of the request."""
    if request is None:
        return {}
    return {"instance": request.path, "request_id": request.META.get("HTTP_X_REQUEST_ID")}


def problem_response(
    code: str,
    status: int,
    detail: str,
    *,
    request: HttpRequest | None = None,
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> HttpResponse:
    """A finished answer, for code outside DRF."""
    about = _about(request)
    body = problem(code, status, detail, **about | extra | about)
    return HttpResponse(
        _encode(body), status=status, content_type=PROBLEM_TYPE, headers=dict(headers or {})
    )


def handle(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler: None leaves the exception to crash, and be logged."""
    described = _describe(exc)
    if described is None:
        return None
    set_rollback()
    code, status, detail, extra, headers = described
    about = _about(context["request"]._request)
    body = problem(code, status, detail, **about | extra | about)
    return Response(body, status=status, headers=headers, content_type=PROBLEM_TYPE)


Described = tuple[str, int, str, dict[str, Any], dict[str, str]]


def _describe(exc: Exception) -> Described | None:
    match exc:
        case DomainError():
            return exc.code, exc.status, exc.detail, _extra_of(exc), _retry_header(exc.extra)
        case Http404():
            return "not_found", 404, _DETAILS[404], {}, {}
        case PermissionDenied():
            return "forbidden", 403, "You may not do this.", {}, {}
        case exceptions.ValidationError():
            errors = list(_flat("", exc.detail))
            return "invalid", 422, "Some fields are not valid.", {"errors": errors}, {}
        case exceptions.NotFound():
            return "not_found", 404, _DETAILS[404], {}, {}
        case exceptions.ParseError():
            return "malformed", 400, str(exc.detail), {}, {}
        case exceptions.APIException():
            return _describe_refusal(exc)
    return None


def _describe_refusal(exc: exceptions.APIException) -> Described:
    status = exc.status_code
    extra: dict[str, Any] = {}
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    wait = getattr(exc, "wait", None)
    if wait is not None:
        extra["retry_after"] = max(1, round(wait))
        headers |= _retry_header(extra)
    code = _CODES.get(status, "refused")
    if isinstance(exc, exceptions.AuthenticationFailed):
        code = str(exc.get_codes())
    return code, status, str(exc.detail), extra, headers


def _extra_of(exc: DomainError) -> dict[str, Any]:
    """A refusal that names a field also lists it, as validation does."""
    field = exc.extra.get("field")
    if field is None or "errors" in exc.extra:
        return exc.extra
    error = {"field": field, "code": exc.code, "detail": exc.detail}
    return {**exc.extra, "errors": [error]}


def _retry_header(extra: Mapping[str, Any]) -> dict[str, str]:
    seconds = extra.get("retry_after")
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _flat(path: str, detail: Any) -> Any:
    """DRF's nested errors as `{field, code, detail}`, the field as a dotted path."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            name = "" if name == "non_field_errors" else str(name)
            yield from _flat(".".join(part for part in (path, name) if part), inner)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from _flat(f"{path}.{index}" if nested and path else path, inner)
    else:
        yield {"field": path, "code": getattr(detail, "code", "invalid"), "detail": str(detail)}


class ProblemMiddleware:
    """Names the request, and makes every error under `/v1/` a problem object.

    Sync and async alike, so that the ingest path is never handed to a thread.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        _name(request)
        if self.is_async:
            return self._answer_async(request)
        return _as_problem(request, self.get_response(request))

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        response = await cast(Awaitable[HttpResponseBase], self.get_response(request))
        return _as_problem(request, response)

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        if not isinstance(exc, DomainError) or not _in_api(request):
            return None
        return problem_response(
            exc.code,
            exc.status,
            exc.detail,
            request=request,
            headers=_retry_header(exc.extra),
            **_extra_of(exc),
        )


def _name(request: HttpRequest) -> None:
    """Keep the caller's request id where it is harmless in logs; else make one."""
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    if not REQUEST_ID.fullmatch(given):
        request.META["HTTP_X_REQUEST_ID"] = uuid.uuid4().hex


def _in_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(API_PREFIX)


def _as_problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response.headers["X-Request-ID"] = request.META["HTTP_X_REQUEST_ID"]
    if response.status_code < 400 or not _in_api(request):
        return response
    if response.headers.get("Content-Type", "").startswith(PROBLEM_TYPE):
        return response
    status = response.status_code
    kept = {
        name: value
        for name, value in response.headers.items()
        if name.lower() in {"allow", "retry-after"}
    }
    answer = problem_response(
        _CODES.get(status, "refused"),
        status,
        _DETAILS.get(status, HTTPStatus(status).phrase + "."),
        request=request,
        headers=kept,
    )
    answer.headers["X-Request-ID"] = request.META["HTTP_X_REQUEST_ID"]
    return answer
