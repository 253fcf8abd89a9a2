"""Mail over TLS, against a real server with a certificate of its own."""

import datetime
import ipaddress
import socket
import ssl

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from alerts.notifiers import email
from alerts.notifiers.notifier import Message
from config.mail import mail_settings

MESSAGE = Message(
    key="3f0c9a52-0000-4000-8000-000000000001",
    address="owner@acme.example",
    secrets=(),
    event="test",
    payload={
        "type": "test",
        "timestamp": "",
        "data": {
            "title": "Test",
            "severity": "low",
            "subject": "s",
            "subject_name": "S",
            "started_at": "",
            "values": {},
        },
    },
)


@pytest.fixture
def certificate(tmp_path):
    """Path of a certificate for 127.0.0.1 with its key; nobody else's authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


class Inbox:
    def __init__(self):
        self.secured = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.secured.append(session.ssl is not None or server.transport.get_extra_info("cipher"))
        return "250 OK"


@pytest.fixture(params=["smtp+tls", "smtp+ssl"])
def inbox(request, certificate, settings):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inbox = Inbox()
    how = (
        {"tls_context": context, "require_starttls": True}
        if request.param == "smtp+tls"
        else {"ssl_context": context}
    )
    controller = Controller(inbox, hostname="127.0.0.1", port=port, **how)
    controller.start()
    for name, value in mail_settings(f"{request.param}://127.0.0.1:{port}").items():
        setattr(settings, name, value)
    yield inbox
    controller.stop()


def test_it_sends_over_tls_to_a_server_whose_certificate_is_trusted(
    inbox, certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    outcome = email.send(MESSAGE)
    assert outcome.succeeded, outcome.failure
    assert len(inbox.secured) == 1 and inbox.secured[0]


def test_it_sends_nothing_to_a_server_whose_certificate_is_not(inbox):
    outcome = email.send(MESSAGE)
    assert not outcome.succeeded and not outcome.hopeless
    assert "certificate" in outcome.failure.lower()
    assert inbox.secured == []
