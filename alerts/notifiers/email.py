"""E-mail, as text and HTML, through the platform's SMTP server.

A repetition after a crash has the same Message-ID, so that a mailbox shows it once.
"""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from alerts.notifiers.notifier import InvalidAddress, Message, Notifier, Outcome, summary


def check(address: str, secret: str) -> tuple[str, str]:
    try:
        validate_email(address)
    except ValidationError as error:
        raise InvalidAddress(_("This is no e-mail address.")) from error
    return address, ""


def send(message: Message) -> Outcome:
    subject, lines = summary(message)
    # A header of one line, whatever a vehicle or a rule is called.
    subject = " ".join(subject.split())[:200]
    context = {
        "subject": subject,
        "lines": lines,
        "payload": message.payload,
        "link": message.link,
    }
    mail = EmailMultiAlternatives(
        subject,
        render_to_string("alerts/email/alert.txt", context),
        settings.DEFAULT_FROM_EMAIL,
        [message.address],
        headers={
            "Message-ID": f"<{message.key}@outrider>",
            "X-Outrider-Delivery": message.key,
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string("alerts/email/alert.html", context), "text/html")
    request = f"To: {message.address}\nSubject: {subject}\nMessage-ID: <{message.key}@outrider>"
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = next(iter(error.recipients.values()))
        return _refused(request, code, answer)
    except smtplib.SMTPResponseException as error:
        return _refused(request, error.smtp_code, error.smtp_error)
    except (OSError, smtplib.SMTPException) as error:
        return Outcome(False, request=request, failure=f"{type(error).__name__}: {error}"[:300])
    return Outcome(True, request=request, status=250)


def _refused(request: str, code: int, answer: bytes | str) -> Outcome:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return Outcome(
        False,
        # RFC 5321: 5yz is permanent, 4yz is not.
        hopeless=code >= 500,
        request=request,
        status=code,
        response=text,
        failure="The mail server refused it.",
    )


NOTIFIER = Notifier(key="email", label="E-mail", check=check, send=send)
