"""Telling every process that a device's open socket must close."""

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

logger = structlog.get_logger(__name__)

CREDENTIAL_REVOKED = 4401
RECONNECT = 1012

DEVICES = "devices"
"""The channel-layer group that every process with device sockets joins, once for all of them."""


def announce(device_id: int, *, close_code: int = CREDENTIAL_REVOKED) -> None:
    """Close the device's sockets, wherever they are:
    `{"type": "device.revoked", "devices": […], "code": …}`.

    Call after the commit. The layer delivers at most once; each process also checks its
    open sockets now and then, so a lost message delays the closing and no more.
    """
    message = {"type": "device.revoked", "devices": [device_id], "code": close_code}
    try:
        async_to_sync(get_channel_layer().group_send)(DEVICES, message)
    except Exception:
        # The change is committed: a layer that is away must not turn it into an error.
        logger.exception("revocation_not_announced", device_id=device_id)
