"""Where a request comes from."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str | None:
    """The client's address, behind as many proxies as `TRUSTED_PROXY_COUNT` says."""
    trusted = settings.TRUSTED_PROXY_COUNT
    forwarded = [
        part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part
    ]
    if trusted and len(forwarded) >= trusted:
        return _valid_address(forwarded[-trusted])
    return _valid_address(request.META.get("REMOTE_ADDR") or "")


def _valid_address(text: str) -> str | None:
    try:
        # A zone (fe80::1%eth0) means nothing elsewhere, and the database refuses it.
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return None
