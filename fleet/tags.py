"""Tags of vehicles and meters: short words of the customer's own, that rules go by."""

from __future__ import annotations

from collections.abc import Iterable

from tenants.errors import DomainError

MOST = 20
LONGEST = 40


def checked_tags(typed: Iterable[str]) -> list[str]:
    """Without spaces around and repetitions, in order. Raises DomainError `invalid_tag`.

    A comma parts tags in forms and spreadsheets, and so is in none of them.
    """
    tags = sorted({tag.strip() for tag in typed} - {""})
    for tag in tags:
        if len(tag) > LONGEST or "," in tag or not tag.isprintable():
            detail = f"A tag has up to {LONGEST} characters, no comma and no line break."
            raise DomainError("invalid_tag", 422, detail, field="tags")
    if len(tags) > MOST:
        raise DomainError("invalid_tag", 422, f"There may be {MOST} tags.", field="tags")
    return tags


def tags_of(text: str) -> list[str]:
    """As forms and spreadsheets have them: parted by commas. Raises DomainError."""
    return checked_tags(text.split(","))


def text_of(tags: Iterable[str]) -> str:
    return ", ".join(tags)
