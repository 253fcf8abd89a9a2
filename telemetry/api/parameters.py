"""Query parameters of the telemetry reads: strict, refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from django.utils.dateparse import parse_datetime

from tenants.errors import DomainError


def refuse_unknown(query: Mapping[str, str], known: set[str]) -> None:
    """A misspelt filter must not silently mean "everything"."""
    for name in query:
        if name not in known:
            raise DomainError(
                "unknown_parameter", 400, f"There is no parameter {name[:64]!r}.", field=name[:64]
            )


def moment(query: Mapping[str, str], name: str, default: datetime) -> datetime:
    """An RFC 3339 time with its zone, in UTC."""
    text = query.get(name)
    if text is None:
        return default
    try:
        # In a query string an unescaped + arrives as a space.
        found = (
            parse_datetime(text.replace(" ", "+"))
            if len(text) <= 40 and text.isprintable()
            else None
        )
        if found is not None and found.tzinfo is not None:
            found = found.astimezone(UTC)
            if 1970 <= found.year < 2200:
                return found
    except (ValueError, OverflowError):
        pass
    raise _bad(name, "takes a time like 2026-11-20T12:00:00Z, with its zone")


def whole(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """An integer in [low, high]."""
    text = query.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdecimal() and len(text) <= 9 and low <= int(text) <= high:
        return int(text)
    raise _bad(name, f"takes a whole number from {low} to {high}")


def choice(query: Mapping[str, str], name: str, among: tuple[str, ...]) -> str:
    """One of a few words; the first is the default."""
    text = query.get(name, among[0])
    if text not in among:
        raise _bad(name, f"takes one of: {', '.join(among)}")
    return text


def names(query: Mapping[str, str], name: str, among: tuple[str, ...]) -> tuple[str, ...]:
    """Names with commas between, in the table's order; default: all."""
    text = query.get(name)
    if text is None:
        return among
    asked = {part.strip() for part in text.split(",")}
    for unknown in sorted(asked - set(among)):
        raise _bad(name, f"has no {unknown[:64]!r}; there are: {', '.join(among)}")
    return tuple(known for known in among if known in asked)


def _bad(name: str, must: str) -> DomainError:
    return DomainError("bad_parameter", 400, f"{name} {must}.", field=name)
