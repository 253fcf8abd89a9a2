"""The handover as its reader takes it along."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser


def test_the_handover_is_copied_as_text(opens):
    clipboard = ["clipboard-read", "clipboard-write"]
    page = opens("/handover?since=8h", wait=False, permissions=clipboard)
    page.get_by_role("button", name="Copy as text").click()
    page.wait_for_function("async () => await navigator.clipboard.readText()", timeout=20_000)
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#as-text").text_content().strip()
    assert "North" in copied.splitlines()[0]
