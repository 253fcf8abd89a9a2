"""How the API reads JSON."""

from collections.abc import Mapping
from typing import IO, Any

import msgspec
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from tenants.errors import DomainError


class BoundedJSONParser(BaseParser):
    """JSON up to `API_MAX_BODY_BYTES`; NaN, lone surrogates and nesting bombs are refused."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit: int = settings.API_MAX_BODY_BYTES
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise DomainError("too_large", 413, f"The body is larger than {limit} bytes.")
        try:
            return msgspec.json.decode(body)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise ParseError("The body is not valid JSON.") from error
