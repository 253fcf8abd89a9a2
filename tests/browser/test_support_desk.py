"""The support desk, in the colours of the console: nobody is barred from it."""

from __future__ import annotations

import pytest

from tests.browser.conftest import PASSWORD
from tests.browser.test_things import shell

pytestmark = pytest.mark.browser

STAFF = f"""
from datetime import timedelta
from tenants import services
from tenants.models import Organisation, User
staff = User.objects.create_superuser("desk@support.example", {PASSWORD!r})
south = Organisation.objects.get(slug="south")
services.grant_support_access(tenant=south, staff=staff, reason="ticket 7",
                              duration=timedelta(hours=1))
"""
# Lists are the library's own markup: the button of their search is too small a target.
PAGES = ["/admin/", "/admin/tenants/supportaccess/add/"]


def test_it_bars_nobody_from_the_support_desk(site, opens, faults, complaints):
    shell(site, STAFF)
    page = opens("/accounts/login/?next=/admin/", who=None, wait=False)
    page.fill("input[name=login]", "desk@support.example")
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(site.url + "/admin/", timeout=20_000)
    found = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for path in PAGES:
            page.goto(site.url + path)
            found[scheme, path] = faults(page)
    assert {where: each for where, each in found.items() if each} == {}
    # The library asks for an icon that nobody put there.
    assert all("404" in each for each in complaints), complaints
    complaints.clear()
