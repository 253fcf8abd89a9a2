"""Refused frames as people read them: reasons in words, bytes as text or hexadecimal."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

REASONS: Final = {
    "malformed": _("Not readable"),
    "unknown_field": _("Unknown field"),
    "missing_field": _("Field missing"),
    "out_of_range": _("Out of range"),
    "bad_time": _("Impossible time"),
    "future_time": _("Time in the future"),
    "unsupported_schema": _("Unknown version"),
    "too_large": _("Too large"),
    "unknown_vehicle": _("Unknown vehicle"),
    "unknown_meter": _("Unknown meter"),
    "unstorable": _("Could not be stored"),
}
# What a decoder calls the kinds of values, as people call them.
KINDS: Final = {
    "float": _("a number"),
    "int": _("a whole number"),
    "str": _("text"),
    "bool": _("true or false"),
    "null": _("nothing"),
    "array": _("a list"),
    "object": _("an object"),
    "datetime": _("a moment"),
}
_EXPECTED: Final = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_WHERE: Final = re.compile(r" - at `\$[^`]*`$")
SHOWN_BYTES: Final = 4096


def reason(code: str) -> Any:
    """The refusal's code in words; a code without words stands for itself."""
    return REASONS.get(code, code.replace("_", " ").capitalize())


def detail(text: str) -> str:
    """The detail of a refusal without the decoder's dialect: "Expected `float | null`, got `str`
    - at `$.soc_pct`" is "expected a number, got text". The field stands beside it anyway."""
    plain = _WHERE.sub("", text)
    found = _EXPECTED.fullmatch(plain)
    if found is None:
        return plain
    expected = [name for name in found[1].split(" | ") if name != "null"] or ["null"]
    return gettext("expected %(expected)s, got %(got)s") % {
        "expected": gettext(" or ").join(str(KINDS.get(name, name)) for name in expected),
        "got": KINDS.get(found[2], found[2]),
    }


def readable(raw: bytes | memoryview) -> str:
    """JSON indented, MessagePack as the JSON it stands for, text as it is, else a hex dump."""
    data = bytes(raw)[:SHOWN_BYTES]
    try:
        return json.dumps(json.loads(data), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        pass
    if data and data[0] >= 0x80:
        try:
            return json.dumps(
                msgspec.msgpack.decode(data), indent=2, ensure_ascii=False, default=repr
            )
        except (msgspec.DecodeError, ValueError, RecursionError, TypeError):
            pass
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return hex_dump(data)
    return text if all(c.isprintable() or c in "\r\n\t" for c in text) else hex_dump(data)


def hex_dump(data: bytes) -> str:
    """Sixteen bytes a line: offset, hexadecimal, ASCII."""
    lines = []
    for start in range(0, min(len(data), 1024), 16):
        part = data[start : start + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<47}  {shown}")
    return "\n".join(lines)
