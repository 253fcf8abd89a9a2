"""Vehicle identification numbers: checked, found by pseudonym, revealed to few.

ISO 3779: 17 characters without I, O and Q. Position 9 is a check digit where the law
says so: North America (49 CFR 565.15, world manufacturer identifiers 1 to 5) and China
(GB 16735, L). Elsewhere makers use the position as they like: a mismatch proves nothing.

A VIN points to a person, so it exists at rest only as an HMAC, to find a vehicle by,
and as ciphertext, to reveal.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings
from vininfo import Vin
from vininfo.exceptions import ValidationError

from tenants import crypto
from tenants.errors import DomainError

PURPOSE: Final = "vehicle.vin"
CHECKED_REGIONS: Final = frozenset("12345L")
UNVERIFIED: Final = "The standard of this maker's region has no check digit: it was not verified."


@dataclass(frozen=True, slots=True)
class CheckedVin:
    """A VIN that may be one. `verified` tells whether a check digit says so as well."""

    number: str = field(repr=False)
    verified: bool


def normalise(text: str) -> CheckedVin:
    """Read a VIN as people write it; raises `vin_invalid`, never repeating the number."""
    compact = "".join(text.split()).replace("-", "").upper()
    try:
        vin = Vin(compact)
    except ValidationError:
        raise DomainError(
            "vin_invalid", 422, "A VIN has 17 letters and digits, without I, O and Q.", field="vin"
        ) from None
    if compact[0] not in CHECKED_REGIONS:
        return CheckedVin(compact, verified=False)
    if not vin.verify_checksum(check_year=False):
        raise DomainError(
            "vin_check_digit", 422, "The check digit at position 9 does not match.", field="vin"
        )
    return CheckedVin(compact, verified=True)


def pseudonym(vin: CheckedVin, *, tenant_id: int) -> str:
    """HMAC-SHA256 under the installation's key, apart for each tenant; hexadecimal."""
    message = f"{tenant_id}:{vin.number}".encode()
    return hmac.new(settings.VIN_PSEUDONYM_KEY.encode(), message, hashlib.sha256).hexdigest()


def seal(vin: CheckedVin, *, tenant_id: int) -> bytes:
    """Ciphertext of the VIN, bound to the tenant."""
    return crypto.encrypt(vin.number, tenant_id=tenant_id, purpose=PURPOSE)


def unseal(ciphertext: bytes | memoryview, *, tenant_id: int) -> str:
    """The VIN in clear; whoever asks records it first."""
    return crypto.decrypt(ciphertext, tenant_id=tenant_id, purpose=PURPOSE)
