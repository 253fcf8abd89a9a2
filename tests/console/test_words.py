"""Whatever a person reads goes through gettext: no bare words in templates and modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Told without Django, so that it works when nothing else does.
WITHOUT_DJANGO = {"templates/500.html"}
# Names, keys, units and notations that are the same in every language.
SAME_EVERYWHERE = {
    "Outrider", "CSV", "XLSX", "GPX", "GeoJSON", "Ctrl", "Esc", "Enter", "curl", "Python", "UTC",
    "AC", "DC", "VIN", "kW", "kWh", "kWh/100", "km", "ms", "p50", "p99", "id", "seq",
}  # fmt: skip
SPOKEN = ("aria-label", "title", "placeholder", "alt", "data-copied")


def files(pattern: str, folder: str) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / folder).rglob(pattern))]


def is_word(text: str) -> bool:
    """Two letters in a row that are no name, unit or credential's beginning."""
    parts = (part.strip("·…:.,()") for part in re.sub(r"&\w+;", " ", text).split())
    return any(
        re.search(r"[^\W\d_]{2,}", part)
        and part not in SAME_EVERYWHERE
        and not part.startswith(("ort_", "ord_"))
        for part in parts
    )


def bare_words_of_template(source: str) -> list[str]:
    source = re.sub(
        r"\{% comment %\}.*?\{% endcomment %\}|\{#.*?#\}|<!--.*?-->", "", source, flags=re.S
    )
    source = re.sub(r"\{% blocktranslate.*?\{% endblocktranslate %\}", "\x00", source, flags=re.S)
    source = re.sub(r"<(script|style|svg)\b.*?</\1>", "", source, flags=re.S)
    # What a tag prints is a value; what a condition chooses between stays to be looked at.
    source = re.sub(r"\{[{%].*?[%}]\}", "\x00", source, flags=re.S)
    spoken = re.findall(rf'\b(?:{"|".join(SPOKEN)})="([^"]*)"', source)
    shown = re.sub(r"<[^>]*>", "\n", source)
    pieces = [piece for text in [*spoken, *shown.split("\n")] for piece in text.split("\x00")]
    return [piece.strip() for piece in pieces if is_word(piece)]


ASSIGNED = re.compile(
    r"\.(?:textContent|title|placeholder|ariaLabel|innerText)\s*=(?!=)([^;\n]*)"
    r"|setAttribute\(\s*\"(?:aria-label|title|placeholder)\"\s*,([^;\n]*)\)"
    r"|\b(?:confirm|alert)\(([^;\n]*)\)"
)
LITERAL = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|`((?:[^`\\]|\\.)*)`")


def bare_words_of_module(source: str) -> list[str]:
    found = []
    for match in ASSIGNED.finditer(re.sub(r"^\s*//.*$", "", source, flags=re.M)):
        value = next(part for part in match.groups() if part is not None)
        value = re.sub(r"\b(?:n?gettext|interpolate)\((?:[^()]|\([^()]*\))*\)", "", value)
        # Names of attributes, elements and kinds in the same expression are no words.
        value = re.sub(r"[!=]==\s*\"\w*\"|\bclass: \"[^\"]*\"|\belement\(\"\w+\"", "", value)
        value = re.sub(r"(?:dataset|querySelector|getAttribute)\w*\(?[^,;)]*\)?", "", value)
        for literal in LITERAL.finditer(value):
            text = re.sub(r"\$\{[^}]*\}", " ", literal.group(1) or literal.group(2) or "")
            found += [text.strip()] if is_word(text) else []
    return found


@pytest.mark.parametrize(
    "path", [p for p in files("*.html", "templates") if p not in WITHOUT_DJANGO]
)
def test_templates_have_no_bare_words(path: str) -> None:
    assert bare_words_of_template((ROOT / path).read_text()) == []


@pytest.mark.parametrize("path", files("*.mjs", "static/js"))
def test_modules_have_no_bare_words(path: str) -> None:
    assert bare_words_of_module((ROOT / path).read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Log out</p>",
        '<a title="Log out" href="#"></a>',
        "<p>{% if a %}open{% endif %}</p>",
        '<button aria-label="Close {{ name }}"></button>',
        "<p>\n  Log out\n</p>",
    ],
)
def test_it_notices_bare_words_in_a_template(source: str) -> None:
    assert bare_words_of_template(source)


@pytest.mark.parametrize(
    "source",
    [
        '<p>{% translate "Log out" %}</p>',
        "<p>{% blocktranslate count n=n %}{{ n }} day{% plural %}{{ n }} days{% endblocktranslate %}</p>",
        "<a title=\"{% translate 'Log out' %}\">CSV</a>",
        "<script>const open = 1;</script><b>{{ n }} %</b>",
    ],
)
def test_it_takes_nothing_else_for_a_word(source: str) -> None:
    assert bare_words_of_template(source) == []


def test_it_notices_bare_words_in_a_module() -> None:
    assert bare_words_of_module('each.textContent = "Log out";')
    assert bare_words_of_module("each.title = `${n} open`;")
    assert bare_words_of_module('each.setAttribute("aria-label", "Close");')
    assert not bare_words_of_module('each.textContent = gettext("Log out");')
    assert not bare_words_of_module("each.textContent = `${a} · ${b}`;")
