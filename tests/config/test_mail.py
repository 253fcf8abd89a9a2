"""EMAIL_URL."""

import pytest

from config.mail import InvalidMailUrl, mail_settings

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize(
    ("url", "host", "port", "starttls", "tls"),
    [
        ("smtp://mail.example", "mail.example", 25, False, False),
        ("smtp://mail.example:2525", "mail.example", 2525, False, False),
        ("smtp+tls://mail.example", "mail.example", 587, True, False),
        ("smtp+ssl://mail.example", "mail.example", 465, False, True),
        ("smtp+ssl://[::1]:4650", "::1", 4650, False, True),
    ],
)
def test_it_secures_the_way_as_the_url_says(url, host, port, starttls, tls):
    found = mail_settings(url)
    assert found["EMAIL_BACKEND"] == SMTP
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == (host, port)
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (starttls, tls)


def test_it_takes_user_and_password_apart():
    found = mail_settings("smtp+tls://fleet%40acme.example:p%2Fss@mail.example")
    assert found["EMAIL_HOST_USER"] == "fleet@acme.example"
    assert found["EMAIL_HOST_PASSWORD"] == "p/ss"


def test_it_keeps_mail_in_files():
    found = mail_settings("file:///var/spool/out%20box")
    assert found["EMAIL_BACKEND"].endswith("filebased.EmailBackend")
    assert found["EMAIL_FILE_PATH"] == "/var/spool/out box"


@pytest.mark.parametrize(
    "url", ["", "mail.example", "smtps://mail.example", "smtp://", "file://", "http://x"]
)
def test_it_refuses_what_would_go_nowhere_or_unprotected(url):
    with pytest.raises(InvalidMailUrl):
        mail_settings(url)
