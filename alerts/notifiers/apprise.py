"""SMS and chat services through Apprise (github.com/caronc/apprise).

Only services with an address of their own are allowed: a URL that names a host would make
Apprise call whatever the customer likes, our own network included.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from apprise import Apprise, AppriseAsset, NotifyType
from django.utils.translation import gettext as _

from alerts.notifiers.notifier import InvalidAddress, Message, Notifier, Outcome, summary

SERVICES = {
    "clicksend": "ClickSend (SMS)",
    "d7sms": "D7 Networks (SMS)",
    "discord": "Discord",
    "gchat": "Google Chat",
    "msgbird": "MessageBird (SMS)",
    "nexmo": "Vonage (SMS)",
    "opsgenie": "Opsgenie",
    "pagerduty": "PagerDuty",
    "plivo": "Plivo (SMS)",
    "pover": "Pushover",
    "signl4": "SIGNL4",
    "sinch": "Sinch (SMS)",
    "slack": "Slack",
    "tgram": "Telegram",
    "twilio": "Twilio (SMS)",
    "whatsapp": "WhatsApp",
}
"""Scheme of the Apprise URL: the service."""

_SEVERITIES = {"low": NotifyType.INFO, "critical": NotifyType.FAILURE}
_ASSET = AppriseAsset(app_id="Outrider", app_desc="Fleet alerts", storage_mode="memory")


def check(address: str, secret: str) -> tuple[str, str]:
    """The URL is a secret whole: it holds the service's token."""
    url = secret or address
    scheme = urlsplit(url).scheme.lower()
    if scheme not in SERVICES:
        raise InvalidAddress(_("Use one of: %(names)s.") % {"names": ", ".join(sorted(SERVICES))})
    if not Apprise(asset=_ASSET).add(url):
        raise InvalidAddress(_("Apprise does not understand this URL."))
    return f"{scheme}://…", url


def _is_allowed(secrets: tuple[str, ...]) -> bool:
    return bool(secrets) and urlsplit(secrets[0]).scheme.lower() in SERVICES


def send(message: Message) -> Outcome:
    subject, lines = summary(message)
    severity = message.payload["data"].get("severity", "low")
    resolved = message.event == "alert.resolved"
    service = Apprise(asset=_ASSET)
    request = f"{message.address}\n{subject}"
    # Looked at again: what is kept may be older than the list of services.
    if not _is_allowed(message.secrets) or not service.add(message.secrets[0]):
        return Outcome(False, hopeless=True, request=request, failure="The URL is not usable.")
    # Apprise answers True or False and keeps the reason to itself.
    sent = service.notify(
        body="\n".join([*lines, *filter(None, [message.link]), f"({message.key})"]),
        title=subject,
        notify_type=NotifyType.SUCCESS
        if resolved
        else _SEVERITIES.get(severity, NotifyType.WARNING),
    )
    failure = "" if sent else "The service did not take it."
    return Outcome(bool(sent), request=request, failure=failure)


NOTIFIER = Notifier(key="apprise", label="SMS or chat", check=check, send=send)
