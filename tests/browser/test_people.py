"""Logging in and out, second factors, mails, keys and the bar of a phone, in a real browser."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.browser.conftest import PASSWORD
from tests.browser.test_things import shell

pytestmark = pytest.mark.browser

SLOW = {"timeout": 20_000}
PHONE = {"width": 390, "height": 844}
A_PERSON = """
from tenants.models import Membership, Organisation, Role, User
north = Organisation.objects.get(slug="north")
person = User.objects.create_user({email!r}, {password!r})
Membership.objects.create(tenant=north, user=person, role=Role.VIEWER)
"""


def a_person(site, name: str) -> str:
    """The address of a new person: another one where a test is tried again."""
    email = f"{name}-{uuid.uuid4().hex[:8]}@example.org"
    shell(site, A_PERSON.format(email=email, password=PASSWORD))
    return email


def log_in(page, site, email: str, password: str = PASSWORD) -> None:
    page.goto(site.url + "/accounts/login/")
    page.fill("input[name=login]", email)
    page.fill("input[name=password]", password)
    page.get_by_role("button", name="Log in").click()


def code_of(secret: str) -> str:
    """With ten seconds left to type it in: after its half minute it opens nothing."""
    while time.time() % 30 > 20:
        time.sleep(0.2)
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def other_code(secret: str, used: str) -> str:
    """A code opens once: wait for the next one."""
    deadline = time.monotonic() + 40
    while code_of(secret) == used and time.monotonic() < deadline:
        time.sleep(0.5)
    return code_of(secret)


def test_a_second_factor_is_set_up_asked_for_and_replaced_by_a_recovery_code(site, opens, faults):
    email = a_person(site, "second")
    page = opens("/accounts/login/", who=None, wait=False)
    log_in(page, site, email)
    page.wait_for_url(site.url + "/", **SLOW)
    page.goto(site.url + "/settings/profile")
    page.get_by_role("link", name="Turn on").click()
    if page.get_by_role("heading", name="Confirm it is you").count():
        page.fill("input[name=password]", PASSWORD)
        page.get_by_role("button", name="Go on").click()
    expect(page.locator("img.qr")).to_be_visible(**SLOW)
    assert faults(page) == []
    secret = page.locator("#secret").inner_text()
    page.fill("input[name=code]", "000000")
    page.get_by_role("button", name="Turn on").click()
    expect(page.locator(".field__error")).to_be_visible(**SLOW)
    # A wrong code does not change the secret that the app has scanned.
    assert page.locator("#secret").inner_text() == secret
    used = code_of(secret)
    page.fill("input[name=code]", used)
    page.get_by_role("button", name="Turn on").click()
    codes = page.locator(".codes li")
    expect(codes.first).to_be_visible(**SLOW)
    assert faults(page) == []
    recovery = codes.first.inner_text().strip()

    def log_out_and_in() -> None:
        page.context.clear_cookies()
        log_in(page, site, email)
        expect(page.get_by_role("heading", name="Second factor")).to_be_visible(**SLOW)

    log_out_and_in()
    assert faults(page) == []
    # The password alone opens nothing.
    page.goto(site.url + "/vehicles")
    expect(page).to_have_url(re.compile("/accounts/"))
    log_out_and_in()
    page.fill("input[name=code]", "000000")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".field__error")).to_be_visible(**SLOW)
    page.fill("input[name=code]", other_code(secret, used))
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(site.url + "/", **SLOW)

    log_out_and_in()
    page.fill("input[name=code]", recovery)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(site.url + "/", **SLOW)

    log_out_and_in()
    page.fill("input[name=code]", recovery)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".field__error")).to_be_visible(**SLOW)


def test_an_invitation_comes_by_mail_and_opens_once(site, opens):
    page = opens("/settings/members", wait=False)
    page.fill("input[name=email]", "newcomer@example.org")
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.locator(".toast")).to_contain_text("newcomer@example.org was invited")
    mail = site.mailbox.to("newcomer@example.org")
    assert mail["Subject"] == "Join North on Outrider"
    link = site.mailbox.link_to("newcomer@example.org")
    guest = opens(link, who=None, wait=False)
    guest.get_by_label("Your name").fill("New Comer")
    guest.get_by_label("Password").fill("orchid-lantern-42")
    guest.get_by_role("button", name="Create the account").click()
    guest.wait_for_url(site.url + "/", **SLOW)
    again = opens("/accounts/login/", who=None, wait=False)
    assert again.request.get(site.url + link).status == 404
    page.goto(site.url + "/settings/audit?q=newcomer")
    expect(page.locator("#table")).to_contain_text("Invitation accepted")
    expect(page.locator("#table")).to_contain_text("Member invited")


def test_a_forgotten_password_is_set_anew_by_mail(site, opens):
    email = a_person(site, "forgetful")
    page = opens("/accounts/login/", who=None, wait=False)
    page.get_by_role("link", name="Forgot your password?").click()
    page.fill("input[name=email]", email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible(**SLOW)
    page.goto(site.url + site.mailbox.link_to(email))
    for field in page.locator("input[type=password]").all():
        field.fill("another-lantern-43")
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("heading", name="Your password is set")).to_be_visible(**SLOW)
    log_in(page, site, email, "another-lantern-43")
    page.wait_for_url(site.url + "/", **SLOW)


def test_a_revoked_token_is_out_within_a_second(site, opens):
    """Through the page, the database, Redis and a real socket of another process."""
    page = opens("/settings/tokens", wait=False)
    page.get_by_label("Name").fill("Wall screen")
    page.get_by_label("Read telemetry and analytics").check()
    page.get_by_role("button", name="Issue").click()
    secret = page.locator("#secret").inner_text()
    page.get_by_role("link", name="I have kept it").click()
    address = site.url.replace("http", "ws") + "/telemetry"
    with connect(address, additional_headers={"Authorization": f"Bearer {secret}"}) as socket:
        socket.send(json.dumps({"type": "subscribe", "fleets": "all"}))
        assert json.loads(socket.recv(timeout=20))
        page.get_by_role("button", name="Revoke Wall screen").click()
        expect(page.locator(".toast")).to_contain_text("was revoked")
        began = time.monotonic()
        with pytest.raises((ConnectionClosed, asyncio.TimeoutError)) as ended:
            while True:
                socket.recv(timeout=20)
        assert isinstance(ended.value, ConnectionClosed)
        assert ended.value.rcvd is not None and ended.value.rcvd.code == 4401
        assert time.monotonic() - began < 5
    row = page.locator("tr", has_text="Wall screen")
    expect(row).to_contain_text("revoked")


def test_a_removed_members_open_page_says_so(site, opens, complaints):
    email = a_person(site, "leaver")
    theirs = opens("/accounts/login/", who=None, wait=False)
    log_in(theirs, site, email)
    theirs.wait_for_selector("#pulse[data-state=live]", **SLOW)
    owner = opens("/settings/members", wait=False)
    owner.get_by_role("button", name=f"Remove {email}").click()
    expect(owner.locator(".toast")).to_contain_text("is not a member any more")
    expect(theirs.locator("#pulse[data-state=live]")).to_have_count(0, timeout=8_000)
    # The page asks again and is told, by name, that it may not.
    theirs.close()
    assert all("403" in each for each in complaints), complaints
    complaints.clear()


# --- keys ---------------------------------------------------------------------------------
def test_question_mark_lists_the_keys_and_letters_go_places(site, opens, faults):
    page = opens("/fleets", wait=False)
    page.wait_for_load_state()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible(**SLOW)
    expect(keys).to_contain_text("Vehicles")
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("g v ?")
    expect(keys).to_be_hidden()
    expect(page.get_by_role("searchbox")).to_have_value("g v ?")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("searchbox").blur()
    page.keyboard.press("g")
    page.keyboard.press("v")
    page.wait_for_url(re.compile("/vehicles"), **SLOW)
    page.wait_for_load_state()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#table tbody tr").nth(1).locator("th a")).to_be_focused()
    page.keyboard.press("k")
    menu = page.locator(".person__menu")
    page.locator(".person > summary").focus()
    for leaving in ("Escape", "Shift+Tab"):
        page.keyboard.press("Enter")
        expect(menu).to_be_visible()
        page.keyboard.press(leaving)
        expect(menu).to_be_hidden()
    page.locator("#table tbody tr").first.locator("th a").press("Enter")
    page.wait_for_url(re.compile("/vehicles/V"), **SLOW)


def test_the_first_tab_skips_to_the_content(site, opens):
    page = opens("/vehicles", wait=False)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


# --- the bar of a phone ---------------------------------------------------------------------
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_within_reach_of_a_thumb(site, opens, faults, scheme):
    page = opens("/vehicles", wait=False, viewport=PHONE, color_scheme=scheme, has_touch=True)
    bar = page.get_by_role("navigation", name="Pages", exact=True)
    shown = [each for each in bar.locator("a, button").all() if each.is_visible()]
    assert len(shown) == 5
    for each in shown:
        box = each.bounding_box()
        assert box["width"] >= 44 and box["height"] >= 44
        assert box["y"] > 700
    page.get_by_role("button", name="More").click()
    more = page.get_by_role("navigation", name="More pages")
    expect(more.get_by_role("link", name="Devices")).to_be_visible()
    expect(more.get_by_role("link", name="Settings")).to_be_visible()
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(more).to_be_hidden()
    page.get_by_role("button", name="More").click()
    more.get_by_role("link", name="Devices").click()
    page.wait_for_url(re.compile("/devices"), **SLOW)


# --- pages before log-in, and of errors -------------------------------------------------------
@pytest.mark.parametrize(("scheme", "viewport"), [("light", None), ("dark", PHONE)])  # fmt: skip
def test_it_bars_nobody_before_the_log_in(site, opens, complaints, faults, scheme, viewport):
    options = {"viewport": viewport} if viewport else {}
    page = opens("/accounts/login/", who=None, wait=False, color_scheme=scheme, **options)
    found = {}
    for path in ("/accounts/login/", "/accounts/password/reset/", "/accounts/password/reset/done/",
                 "/accounts/password/reset/key/1-set-password/", "/accounts/signup/",
                 "/accounts/inactive/", "/invitations/nothing", "/no-such-page"):  # fmt: skip
        page.goto(site.url + path)
        found[path] = faults(page)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
    complaints.clear()  # that the pages of errors are errors
    assert {path: each for path, each in found.items() if each} == {}


@pytest.mark.parametrize(("scheme", "viewport"), [("light", None), ("dark", PHONE)])
def test_it_bars_nobody_from_their_account(site, opens, faults, scheme, viewport):
    options = {"viewport": viewport} if viewport else {}
    page = opens("/settings/profile", wait=False, color_scheme=scheme, **options)
    found = {}
    for path in ("/settings/profile", "/accounts/password/change/", "/accounts/logout/",
                 "/accounts/2fa/", "/accounts/reauthenticate/", "/accounts/sessions/"):  # fmt: skip
        page.goto(site.url + path)
        found[path] = faults(page)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
    assert {path: each for path, each in found.items() if each} == {}


def test_a_chosen_theme_follows_the_person_and_a_switch_stays_on_the_device(site, opens):
    page = opens("/settings/profile", wait=False, color_scheme="light")
    page.get_by_label("Light or dark").select_option("dark")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark", **SLOW)
    other = opens("/vehicles", wait=False, color_scheme="light")
    expect(other.locator("html")).to_have_attribute("data-theme", "dark")
    other.locator(".person > summary").click()
    other.get_by_role("button", name="Switch light and dark").click()
    other.reload()
    expect(other.locator("html")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_label("Light or dark").select_option("")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("html")).not_to_have_attribute("data-theme", "dark", **SLOW)
