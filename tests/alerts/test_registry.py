"""Every kind and every notifier is registered and documented."""

from pathlib import Path

from alerts.kinds import KINDS
from alerts.models import ChannelKind
from alerts.notifiers import NOTIFIERS

ROOT = Path(__file__).resolve().parents[2]


def modules(package, besides):
    return {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__", *besides}


def test_it_registers_and_documents_every_kind_of_rule():
    assert set(KINDS) == modules("alerts/kinds", {"kind"})
    pages = {path.stem for path in (ROOT / "docs" / "rules").glob("*.md")}
    assert set(KINDS) <= pages


def test_it_registers_and_documents_every_notifier():
    assert set(NOTIFIERS) == modules("alerts/notifiers", {"notifier", "outbound"})
    assert set(NOTIFIERS) == set(ChannelKind.values)
    pages = {path.stem for path in (ROOT / "docs" / "notifiers").glob("*.md")}
    assert set(NOTIFIERS) <= pages
