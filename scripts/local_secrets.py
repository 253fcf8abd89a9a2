"""The secrets of a checkout: made once, never shared, never printed."""

from __future__ import annotations

import base64
import secrets

from scripts.places import STATE, write_owned

SECRETS_FILE = STATE / "secrets.env"


def ensure_secrets() -> None:
    """Write `.outrider/secrets.env` if there is none.

    Its keys encrypt what the database of this checkout holds, so they live exactly as long.
    """
    if SECRETS_FILE.exists():
        return
    STATE.mkdir(exist_ok=True)
    field_key = base64.b64encode(secrets.token_bytes(32)).decode()
    write_owned(
        SECRETS_FILE,
        f"SECRET_KEY={secrets.token_urlsafe(50)}\n"
        f"VIN_PSEUDONYM_KEY={secrets.token_urlsafe(32)}\n"
        f"FIELD_ENCRYPTION_KEYS=local={field_key}\n",
        None,
    )
