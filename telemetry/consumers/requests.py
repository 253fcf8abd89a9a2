"""What a dashboard may say. Anything else is answered with its reason and closes the socket."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

MAX_MESSAGE_BYTES = 64 * 1024
MAX_NAMES = 1000
"""Fleets, or vehicles, that one socket may name."""

Names = Annotated[
    list[Annotated[str, msgspec.Meta(max_length=64)]], msgspec.Meta(max_length=MAX_NAMES)
]


class Subscribe(msgspec.Struct, tag="subscribe", forbid_unknown_fields=True):
    """`fleets`: references, or "all"; `vehicles`: references."""

    fleets: Names | Literal["all"] = []
    vehicles: Names = []


class Unsubscribe(msgspec.Struct, tag="unsubscribe", forbid_unknown_fields=True):
    fleets: Names | Literal["all"] = []
    vehicles: Names = []


class Ack(msgspec.Struct, tag="ack", forbid_unknown_fields=True):
    """Every numbered message up to `message` has been dealt with."""

    message: int


Request = Subscribe | Unsubscribe | Ack

_decoder = msgspec.json.Decoder(Request)


def parse(text: str) -> Request:
    """Raises msgspec.DecodeError (of which ValidationError is one) with a sentence."""
    request: Request = _decoder.decode(text)
    return request
