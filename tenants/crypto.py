"""Encryption of single fields: AES-256-GCM, bound to tenant and purpose.

Ciphertext: one byte of format (1), one byte length of the key id, the key id, a nonce
of 12 bytes, then AES-GCM's output with its tag (NIST SP 800-38D). The tenant and the
purpose are authenticated with it: a ciphertext copied into another tenant's row, or
another column, does not decrypt.
"""

import base64
import binascii
import os
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

FORMAT: Final = 1
NONCE_BYTES: Final = 12


class Undecipherable(Exception):
    """Not a ciphertext of ours, of this tenant and purpose, or of a key we still hold."""


def encrypt(plain: str, *, tenant_id: int, purpose: str) -> bytes:
    """Encrypt with the first of `FIELD_ENCRYPTION_KEYS`."""
    key_id: str = next(iter(settings.FIELD_ENCRYPTION_KEYS))
    nonce = os.urandom(NONCE_BYTES)
    sealed = _cipher(key_id).encrypt(nonce, plain.encode(), _bound_to(tenant_id, purpose))
    name = key_id.encode()
    return bytes([FORMAT, len(name)]) + name + nonce + sealed


def decrypt(ciphertext: bytes | memoryview, *, tenant_id: int, purpose: str) -> str:
    """Decrypt with whichever key encrypted; raises `Undecipherable`."""
    data = bytes(ciphertext)
    if len(data) < 2 or data[0] != FORMAT:
        raise Undecipherable("unknown format")
    name_end = 2 + data[1]
    nonce_end = name_end + NONCE_BYTES
    key_id = data[2:name_end].decode(errors="replace")
    if key_id not in settings.FIELD_ENCRYPTION_KEYS:
        raise Undecipherable("unknown key")
    try:
        plain = _cipher(key_id).decrypt(
            data[name_end:nonce_end], data[nonce_end:], _bound_to(tenant_id, purpose)
        )
    except (InvalidTag, ValueError) as error:
        raise Undecipherable("wrong key, tenant or purpose, or damaged") from error
    return plain.decode()


def _bound_to(tenant_id: int, purpose: str) -> bytes:
    return f"{tenant_id}:{purpose}".encode()


def _cipher(key_id: str) -> AESGCM:
    return _cipher_of(settings.FIELD_ENCRYPTION_KEYS[key_id])


@lru_cache(maxsize=16)
def _cipher_of(encoded: str) -> AESGCM:
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS: a key is not base64") from error
    if len(key) != 32:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS: a key is not 32 bytes")
    return AESGCM(key)
