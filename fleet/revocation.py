"""Telling every process that a device's open socket must close."""

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

logger = structlog.get_logger(__name__)

CREDENTIAL_REVOKED = 4401
RECONNECT = 1012


def group_of(device_id: int) -> str:
    """The channel-layer group that a device's socket joins."""
    return f"device.{device_id}"


def announce(device_id: int, *, close_code: int = CREDENTIAL_REVOKED) -> None:
    """Close the device's sockets, wherever they are: `{"type": "device.revoked", "code": …}`.

    Call after the commit. The layer delivers at most once; each process also checks its
    open sockets now and then, so a lost message delays the closing and no more.
    """
    message = {"type": "device.revoked", "code": close_code}
    try:
        async_to_sync(get_channel_layer().group_send)(group_of(device_id), message)
    except Exception:
        # The change is committed: a layer that is away must not turn it into an error.
        logger.exception("revocation_not_announced", device_id=device_id)
