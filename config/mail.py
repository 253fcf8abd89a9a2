"""EMAIL_URL: where mail goes, and how the way there is secured."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

BACKENDS = "django.core.mail.backends"


class InvalidMailUrl(ValueError):
    """Mail would go nowhere, or unprotected against the wish of whoever set it."""


def mail_settings(url: str) -> dict[str, Any]:
    """Django's EMAIL_… settings.

    `smtp://` plain (port 25), `smtp+tls://` STARTTLS (587), `smtp+ssl://` TLS from the first
    byte (465), each with user and password where needed; `file:///FOLDER` keeps every mail in
    a file instead, `console://` prints it.
    """
    parts = urlsplit(url)
    if parts.scheme in _PORTS:
        return _smtp(parts)
    if parts.scheme == "file" and parts.path.strip("/"):
        return {
            "EMAIL_BACKEND": f"{BACKENDS}.filebased.EmailBackend",
            "EMAIL_FILE_PATH": unquote(parts.path),
        }
    if parts.scheme == "console":
        return {"EMAIL_BACKEND": f"{BACKENDS}.console.EmailBackend"}
    known = ", ".join(f"{scheme}://" for scheme in (*_PORTS, "file", "console"))
    raise InvalidMailUrl(f"EMAIL_URL begins with one of {known}.")


_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}


def _smtp(parts: SplitResult) -> dict[str, Any]:
    if not parts.hostname:
        raise InvalidMailUrl("EMAIL_URL names no mail server.")
    return {
        "EMAIL_BACKEND": f"{BACKENDS}.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or _PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtp+ssl",
    }
