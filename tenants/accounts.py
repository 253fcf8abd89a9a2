"""How people log in."""

import base64

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest

from tenants import crypto, withdrawal

NO_TENANT = 0
"""A person's own secrets belong to no organisation."""
PURPOSE = "user.mfa"


class ClosedSignup(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up by themselves: people are invited into an organisation."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def logout(self, request: HttpRequest) -> None:
        """Live pages that this session has open elsewhere end with it."""
        person = request.user.pk
        super().logout(request)
        if person is not None:
            withdrawal.announce("user", person)


class SealedSecrets(DefaultMFAAdapter):  # type: ignore[misc]
    """Keeps the secrets of two-factor log-in as ciphertext."""

    def encrypt(self, text: str) -> str:
        sealed = crypto.encrypt(text, tenant_id=NO_TENANT, purpose=PURPOSE)
        return base64.b64encode(sealed).decode()

    def decrypt(self, encrypted_text: str) -> str:
        sealed = base64.b64decode(encrypted_text)
        return crypto.decrypt(sealed, tenant_id=NO_TENANT, purpose=PURPOSE)
