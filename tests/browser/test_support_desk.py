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
LISTS = "a[href^='/admin/']"
FORM = "/admin/tenants/supportaccess/add/"


def test_it_bars_nobody_from_the_support_desk(site, opens, faults):
    shell(site, STAFF)
    page = opens("/accounts/login/?next=/admin/", who=None, wait=False)
    page.fill("input[name=login]", "desk@support.example")
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(site.url + "/admin/", timeout=20_000)
    links = page.locator(LISTS).evaluate_all("all => all.map(each => each.getAttribute('href'))")
    paths = ["/admin/", FORM, *sorted({link for link in links if link.count("/") == 4})]
    assert "/admin/fleet/device/" in paths
    found = {}
    for path in paths:
        page.goto(site.url + path)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found[path, scheme] = faults(page)
    assert {where: each for where, each in found.items() if each} == {}
