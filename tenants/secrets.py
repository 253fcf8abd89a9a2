"""Bearer secrets: made once, shown once, kept as a digest.

A secret reads `KIND_PREFIX_RANDOM`: KIND tells what it opens (and lets scanners of
leaked secrets find it), PREFIX is public and finds its row, RANDOM carries 256 bits.
With that much entropy an unsalted SHA-256 is enough; it has to be quick, not slow.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

API_TOKEN: Final = "ort"  # noqa: S105  (the kind, not a secret)
DEVICE_CREDENTIAL: Final = "ord"
PREFIX_BYTES: Final = 6
MAX_SECRET_LENGTH: Final = 128


@dataclass(frozen=True, slots=True)
class Secret:
    """A new secret. `plain` is for its owner and must not be kept or logged."""

    plain: str = field(repr=False)
    prefix: str
    digest: str = field(repr=False)


def new_secret(kind: str) -> Secret:
    """Make a secret of `kind`: `ort` for an API token, `ord` for a device."""
    prefix = secrets.token_hex(PREFIX_BYTES)
    plain = f"{kind}_{prefix}_{secrets.token_urlsafe(32)}"
    return Secret(plain=plain, prefix=prefix, digest=digest_of(plain))


def digest_of(plain: str) -> str:
    """Hexadecimal SHA-256 of the whole secret."""
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def prefix_of(kind: str, plain: str) -> str | None:
    """The public prefix, or None where `plain` cannot be a secret of this kind."""
    if len(plain) > MAX_SECRET_LENGTH or not plain.isascii():
        return None
    parts = plain.split("_", 2)
    if len(parts) != 3 or parts[0] != kind or len(parts[1]) != PREFIX_BYTES * 2:
        return None
    # A NUL would be refused by the database with an error, not an empty answer.
    return parts[1] if parts[1].isalnum() else None


def matches(plain: str, digest: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(digest_of(plain), digest)
