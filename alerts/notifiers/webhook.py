"""Webhooks, signed as Standard Webhooks says (standardwebhooks.com, specification 1.0).

`webhook-id` is the delivery's key, the same in every attempt; `webhook-timestamp` is the
attempt's; `webhook-signature` has one signature for each secret in force, so that a secret
can be rotated without a gap.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpcore2
import msgspec
from django.conf import settings
from django.utils.translation import gettext as _
from standardwebhooks import Webhook

from alerts.notifiers.notifier import InvalidAddress, Message, Notifier, Outcome
from alerts.notifiers.outbound import post

GONE = 410
"""The receiver wants no more of this: Standard Webhooks has us stop."""


def check(address: str, secret: str) -> tuple[str, str]:
    parts = urlsplit(address)
    schemes = ("https", "http") if settings.ALERTS_ALLOW_PRIVATE_WEBHOOKS else ("https",)
    if parts.scheme not in schemes or not parts.hostname:
        raise InvalidAddress(_("A webhook's address begins with https://."))
    if parts.username or parts.password:
        raise InvalidAddress(_("A webhook's address must not contain a password."))
    return address, secret


def send(message: Message) -> Outcome:
    body = msgspec.json.encode(message.payload)
    now = datetime.now(UTC)
    signatures = [
        Webhook(secret).sign(message.key, now, body.decode()) for secret in message.secrets
    ]
    headers = {
        "content-type": "application/json",
        "user-agent": "Outrider-Webhooks/1",
        "webhook-id": message.key,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    told = {name: value for name, value in headers.items() if name != "webhook-signature"}
    request = "\n".join([f"POST {message.address}", *(f"{k}: {v}" for k, v in told.items()), ""])
    request += body.decode()
    try:
        answer = post(message.address, body=body, headers=headers)
    except (OSError, httpcore2.ConnectError, httpcore2.TimeoutException) as error:
        return Outcome(False, request=request, failure=_said(error))
    except (httpcore2.ProtocolError, httpcore2.NetworkError, ValueError) as error:
        return Outcome(False, request=request, failure=_said(error))
    if 200 <= answer.status < 300:
        return Outcome(True, request=request, status=answer.status, response=answer.body)
    failure = "Redirects are not followed." if 300 <= answer.status < 400 else "Refused."
    return Outcome(
        False,
        hopeless=answer.status == GONE,
        request=request,
        status=answer.status,
        response=answer.body,
        failure=failure,
    )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


NOTIFIER = Notifier(key="webhook", label="Webhook", check=check, send=send)
