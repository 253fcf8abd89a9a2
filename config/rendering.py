"""How the API writes JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer


def _plain(value: Any) -> Any:
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")


class ProblemAwareJSONRenderer(BaseRenderer):
    """JSON by msgspec: decimals are numbers that keep their digits (45.20), datetimes
    RFC 3339 in UTC with `Z`. Problem objects pass through it like everything else; the
    exception handler gives those their own content type.
    """

    media_type = "application/json"
    format = "json"
    charset = None
    _encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_plain)

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else self._encoder.encode(data)
