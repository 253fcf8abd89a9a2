"""What the pages change: things, devices, mappings, members, tokens, one's own account."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from aiosmtpd.controller import Controller
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core import mail
from django.db import connection
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from fleet.models import Device, MeterMapping, Vehicle
from fleet.selectors import device_for_secret
from telemetry.models import DeviceHealth, VehicleHour
from tenants.models import ApiToken, AuditEntry, Invitation, Membership, Role, User
from tenants.selectors import token_from_secret
from tests.console.conftest import Company, hear, refuse
from tests.people import NORTH_AMERICAN_VIN, Browser, a_person
from tests.telemetry.platform import free_port

VEHICLE = {"reference": "V9", "name": "Ninth", "fleet": "F1", "silent_after_s": "300"}


def find(company: Company, reference: str) -> Vehicle:
    return Vehicle.objects.for_tenant(company.tenant).get(reference=reference)


def test_it_creates_changes_archives_and_takes_the_archiving_back(company: Company) -> None:
    browser = company.browser()
    assert browser.post(reverse("vehicle-new"), VEHICLE).status_code == 302
    browser.post(reverse("vehicle-edit", args=["V9"]), {**VEHICLE, "name": "Renamed"})
    assert find(company, "V9").name == "Renamed"
    page = browser.post(reverse("vehicle-archive", args=["V9"]), follow=True).content.decode()
    assert find(company, "V9").archived_at is not None
    undo = reverse("vehicle-restore", args=["V9"])
    assert f'action="{undo}"' in page
    browser.post(undo)
    assert find(company, "V9").archived_at is None


def test_it_says_at_the_field_what_is_wrong(company: Company) -> None:
    browser = company.browser()
    answer = browser.post(reverse("vehicle-new"), {**VEHICLE, "reference": "V1"})
    assert answer.status_code == 422
    assert answer.context["form"].errors["reference"] == ["Another vehicle has this id."]
    answer = browser.post(reverse("vehicle-new"), {**VEHICLE, "reference": "import"})
    assert "reference" in answer.context["form"].errors


def test_it_never_shows_the_vin_it_keeps(company: Company) -> None:
    browser = company.browser()
    browser.post(reverse("vehicle-new"), {**VEHICLE, "vin": NORTH_AMERICAN_VIN})
    page = browser.get(reverse("vehicle-edit", args=["V9"])).content.decode()
    assert NORTH_AMERICAN_VIN not in page
    assert "A VIN is on record" in page
    # An empty field keeps it; only the box forgets it.
    browser.post(reverse("vehicle-edit", args=["V9"]), VEHICLE)
    assert find(company, "V9").vin_pseudonym
    browser.post(reverse("vehicle-edit", args=["V9"]), {**VEHICLE, "forget_vin": "on"})
    assert not find(company, "V9").vin_pseudonym


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("vehicle-new", {}),
        ("vehicle-edit", {"vehicle_id": "V1"}),
        ("vehicle-archive", {"vehicle_id": "V1"}),
        ("vehicle-restore", {"vehicle_id": "V1"}),
        ("device-new", {}),
        ("device-rotate", {"device_id": "D1"}),
        ("device-revoke", {"device_id": "D1"}),
        ("device-archive", {"device_id": "D1"}),
        ("mapping-new", {"meter_id": "M1"}),
        ("vehicles-import", {}),
        ("members", {}),
        ("tokens", {}),
        ("settings", {}),
    ],
)
def test_it_refuses_every_change_of_a_viewer(
    company: Company, name: str, ids: dict[str, str]
) -> None:
    before = AuditEntry.objects.for_tenant(company.tenant).count()
    answer = company.browser(Role.VIEWER).post(reverse(name, kwargs=ids), VEHICLE)
    assert answer.status_code == 403
    assert AuditEntry.objects.for_tenant(company.tenant).count() == before


def test_it_shows_a_new_devices_credential_once(company: Company) -> None:
    answer = company.browser().post(
        reverse("device-new"),
        {"reference": "D9", "name": "Ninth", "vehicle": "V1", "protocol": "telemetry.v1"},
    )
    page = answer.content.decode()
    match = re.search(r'id="secret">(ord_[^<]+)<', page)
    assert match
    identity = device_for_secret(match[1])
    assert identity is not None
    assert (identity.reference, identity.vehicle_id) == ("D9", company.vehicle.pk)
    assert answer["Cache-Control"] == "no-store"
    again = company.browser().get(reverse("device", args=["D9"])).content.decode()
    assert match[1] not in again
    assert company.browser().post(reverse("device-new"), {}).status_code == 422


def test_its_light_turns_green_with_the_first_reading_after_the_credential(
    company: Company,
) -> None:
    browser = company.browser()
    light = reverse("device-light", args=["D1"])
    hear(company, ago=timedelta(minutes=5))
    since = {"since": (timezone.now() - timedelta(seconds=10)).isoformat()}
    assert "Waiting" in browser.get(light, since).content.decode()
    refuse(company)
    shown = browser.get(light, since).content.decode()
    assert "was refused" in shown
    assert "91.2" in shown
    DeviceHealth.objects.update(last_seen=timezone.now())
    green = browser.get(light, since).content.decode()
    assert "First reading stored" in green
    # The message that brought it may come a moment later: one more look, and no further.
    assert "again" in green
    assert "hx-trigger" not in browser.get(light, {**since, "again": ""}).content.decode()


def test_it_shuts_a_device_out_and_lets_it_in_with_a_new_credential(company: Company) -> None:
    browser = company.browser()
    browser.post(reverse("device-revoke", args=["D1"]))
    assert device_for_secret(company.secret) is None
    assert "is revoked" in browser.get(reverse("device", args=["D1"])).content.decode()
    page = browser.post(reverse("device-rotate", args=["D1"])).content.decode()
    match = re.search(r'id="secret">(ord_[^<]+)<', page)
    assert match
    assert device_for_secret(match[1]) is not None


def test_it_offers_no_subject_of_another_organisation(company: Company, stranger: Company) -> None:
    Vehicle.objects.for_tenant(stranger.tenant).update(reference="Z1")
    answer = company.browser().post(
        reverse("device-new"), {"reference": "D9", "name": "x", "vehicle": "Z1"}
    )
    assert "No vehicle in service" in str(answer.context["form"].errors["vehicle"])
    assert Device.objects.for_tenant(company.tenant).count() == 1


def test_it_reads_mapping_times_in_the_organisations_zone(company: Company) -> None:
    company.tenant.time_zone = "Asia/Tokyo"
    company.tenant.save()
    company.browser().post(
        reverse("mapping-new", args=["M1"]),
        {"vehicle": "V1", "valid_from": "2026-01-01T09:00", "valid_to": ""},
    )
    mapping = MeterMapping.objects.for_tenant(company.tenant).get()
    assert mapping.valid.lower is not None
    assert mapping.valid.lower.isoformat() == "2026-01-01T00:00:00+00:00"
    overlapping = company.browser().post(
        reverse("mapping-new", args=["M1"]), {"vehicle": "V1", "valid_from": "2026-02-01T09:00"}
    )
    assert overlapping.status_code == 422
    company.browser().post(reverse("mapping-end", args=["M1", mapping.public_id]), {"now": "1"})
    mapping.refresh_from_db()
    assert mapping.valid.upper is not None


# --- People ----------------------------------------------------------------------------------


def invite(company: Company, email: str = "New@Example.org", role: str = Role.VIEWER) -> str:
    """The path of the link that was mailed."""
    company.browser(Role.OWNER).post(reverse("members"), {"email": email, "role": role})
    match = re.search(r"https?://[^/]+(/invitations/\S+)", str(mail.outbox[-1].body))
    assert match
    return match[1]


def test_it_hands_the_invitation_to_a_real_mail_server(company: Company, settings: Any) -> None:
    received: list[Any] = []

    class Box:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            received.append(envelope)
            return "250 taken"

    server = Controller(Box(), hostname="127.0.0.1", port=free_port())
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = server.port
    owner = company.browser(Role.OWNER)
    form = {"email": "post@example.org", "role": Role.VIEWER}
    try:
        owner.post(reverse("members"), form)
    finally:
        server.stop()
    assert received[0].rcpt_tos == ["post@example.org"]
    assert b"/invitations/" in received[0].content
    # Nobody listens any more: the invitation stands, and the page says what to do.
    page = owner.post(reverse("members"), {**form, "email": "later@example.org"}, follow=True)
    assert "could not be sent" in page.content.decode()


JOIN = {"name": "Nadia", "password": "orchid-lantern-42"}


def test_it_lets_an_invited_person_in_and_only_as_what_they_were_invited(company: Company) -> None:
    link = invite(company)
    assert mail.outbox[-1].to == ["new@example.org"]
    browser = Browser()
    assert company.tenant.name in browser.get(link).content.decode()
    assert browser.post(link, JOIN).status_code == 302
    membership = Membership.objects.for_tenant(company.tenant).get(user__email="new@example.org")
    assert membership.role == Role.VIEWER
    assert browser.get(reverse("vehicles")).status_code == 200
    assert browser.get(reverse("vehicle-new")).status_code == 403
    # Used once.
    assert Browser().get(link).status_code == 404


def test_it_gives_no_account_that_exists_a_new_password(company: Company) -> None:
    person = a_person("old@example.org", "their own password")
    link = invite(company, "old@example.org")
    answer = Browser().post(link, JOIN)
    person.refresh_from_db()
    assert answer.status_code == 409
    assert person.check_password("their own password")
    assert not Membership.objects.for_tenant(company.tenant).filter(user=person).exists()


def test_it_takes_an_invitation_only_from_whom_it_was_sent_to(company: Company) -> None:
    link = invite(company)
    other = Browser()
    other.force_login(a_person())
    assert other.post(link).status_code == 403
    assert Invitation.objects.for_tenant(company.tenant).get().accepted_at is None


@pytest.mark.parametrize("what", ["withdraw", "renew", "expire", "forge"])
def test_it_ends_links_that_were_withdrawn_replaced_expired_or_forged(
    company: Company, what: str
) -> None:
    link = invite(company)
    invitation = Invitation.objects.for_tenant(company.tenant).get()
    if what in ("withdraw", "renew"):
        company.browser(Role.OWNER).post(reverse(f"invitation-{what}", args=[invitation.public_id]))
    if what == "forge":
        link = link[:-3] + ("abc" if not link.endswith("abc") else "abd")
    moment = timezone.now() + timedelta(days=8 if what == "expire" else 0)
    with time_machine.travel(moment):
        assert Browser().get(link).status_code == 404
        assert Browser().post(link, JOIN).status_code == 404
    assert not User.objects.filter(email="new@example.org", password__startswith="pbkdf2").exists()


def test_it_refuses_to_invite_a_member_or_twice(company: Company) -> None:
    invite(company)
    browser = company.browser(Role.OWNER)
    for email in ("new@example.org", company.people[Role.VIEWER].email):
        answer = browser.post(reverse("members"), {"email": email, "role": Role.VIEWER})
        assert answer.status_code == 422
        assert "email" in answer.context["form"].errors


def test_it_keeps_one_owner(company: Company) -> None:
    owners = Membership.objects.for_tenant(company.tenant).filter(role=Role.OWNER)
    owners.exclude(user=company.people[Role.OWNER]).delete()
    own = owners.get()
    browser = company.browser(Role.OWNER)
    page = browser.post(reverse("member-remove", args=[own.public_id]), follow=True)
    assert "at least one owner" in page.content.decode()
    assert owners.exists()


def test_it_shows_a_token_once_with_no_more_than_was_chosen(company: Company) -> None:
    answer = company.browser(Role.OWNER).post(
        reverse("tokens"), {"name": "Billing", "scopes": ["telemetry:read"], "lifetime": "30"}
    )
    match = re.search(r'id="secret">(ort_[^<]+)<', answer.content.decode())
    assert match
    token = token_from_secret(match[1], now=timezone.now())
    assert token is not None
    assert token.scopes == ["telemetry:read"]
    assert match[1] not in company.browser(Role.OWNER).get(reverse("tokens")).content.decode()
    company.browser(Role.OWNER).post(reverse("token-revoke", args=[token.prefix]))
    assert ApiToken.objects.for_tenant(company.tenant).get().revoked_at is not None


def test_it_finds_what_was_done_in_the_audit_trail(company: Company) -> None:
    browser = company.browser(Role.OWNER)
    browser.post(
        reverse("settings"),
        {"name": "Atlas", "time_zone": "Europe/Paris", "units": "imperial", "retention_days": ""},
    )
    page = browser.get(reverse("audit"), {"q": "organisation.updated"}).content.decode()
    assert "Europe/Paris" in page
    assert "vehicle.created" not in page
    assert "Nothing matches" in browser.get(reverse("audit"), {"q": "zebra"}).content.decode()


def test_it_refuses_a_time_zone_that_is_not_one(company: Company) -> None:
    answer = company.browser(Role.OWNER).post(
        reverse("settings"), {"name": "A", "time_zone": "Mars/Base", "units": "metric"}
    )
    assert answer.status_code == 422


# --- One's own account ------------------------------------------------------------------------


def logged_in(email: str, password: str) -> tuple[Browser, Any]:
    browser = Browser()
    answer = browser.post(reverse("account_login"), {"login": email, "password": password})
    return browser, answer


def test_it_ends_another_session_at_once(company: Company) -> None:
    person = a_person("two@example.org", "two places at once")
    Membership.objects.create(tenant=company.tenant, user=person, role=Role.VIEWER)
    here, _ = logged_in("two@example.org", "two places at once")
    there, _ = logged_in("two@example.org", "two places at once")
    page = here.get(reverse("profile"))
    names = [
        name
        for name, each in page.context["sessions"]
        if each.session_key != page.context["current"]
    ]
    assert len(names) == 1
    here.post(reverse("session-end"), {"session": names[0]})
    assert here.get(reverse("profile")).status_code == 200
    assert there.get(reverse("profile")).status_code == 302


def test_it_keeps_the_second_factors_secret_as_ciphertext(company: Company) -> None:
    TOTP.activate(company.people[Role.OWNER], "JBSWY3DPEHPK3PXP")
    kept = Authenticator.objects.get().data["secret"]
    assert "JBSWY3DPEHPK3PXP" not in kept
    assert get_adapter().decrypt(kept) == "JBSWY3DPEHPK3PXP"


def test_it_asks_for_the_second_factor_after_the_password(company: Company) -> None:
    person = a_person("careful@example.org", "two factors are better")
    Membership.objects.create(tenant=company.tenant, user=person, role=Role.VIEWER)
    TOTP.activate(person, "JBSWY3DPEHPK3PXP")
    browser, answer = logged_in("careful@example.org", "two factors are better")
    assert answer["Location"].startswith(reverse("mfa_authenticate"))
    assert browser.get(reverse("vehicles")).status_code == 302
    assert browser.get(reverse("mfa_authenticate")).status_code == 200
    while time.time() % 30 > 28:  # After its half minute a code opens nothing.
        time.sleep(0.1)
    counter = next(iter(yield_hotp_counters_from_time()))
    code = format_hotp_value(hotp_value("JBSWY3DPEHPK3PXP", counter))
    browser.post(reverse("mfa_authenticate"), {"code": code})
    assert browser.get(reverse("vehicles")).status_code == 200


@pytest.mark.parametrize(
    "name", ["mfa_index", "mfa_activate_totp", "account_change_password", "usersessions_list"]
)
def test_its_account_pages_are_of_the_same_hand(company: Company, name: str) -> None:
    a_person("plain@example.org", "a password of ours")
    browser, _ = logged_in("plain@example.org", "a password of ours")
    page = browser.get(reverse(name), follow=True).content.decode()
    assert 'class="gate"' in page


def test_it_finds_things_by_part_of_a_name(company: Company, stranger: Company) -> None:
    def found(query: str, **more: str) -> list[str]:
        answer = company.browser(Role.VIEWER).get(reverse("palette"), {"q": query, **more})
        return [each["id"] for each in answer.json()["found"]]

    assert set(found("atlas")) == {"V1", "M1", "D1", "F1"}
    assert found("ab-1") == ["V1"]
    assert found("atlas", kind="meter") == ["M1"]
    assert found("zephyr") == []
    assert found("") == []


def test_it_searches_by_an_index(company: Company) -> None:
    wanted = Q(name__icontains="tla") | Q(reference__icontains="tla") | Q(plate__icontains="tla")
    with connection.cursor() as cursor:
        # So small a table would be read whole.
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "vehicle_search" in Vehicle.unscoped.filter(wanted).explain()


def test_it_shows_the_hours_in_which_nothing_came(company: Company) -> None:
    this_hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for ago, readings in ((0, 10), (3, 40)):
        at = this_hour - timedelta(hours=ago)
        VehicleHour.objects.create(
            vehicle_id=company.vehicle.pk,
            hour=at,
            tenant_id=company.tenant.pk,
            readings=readings,
            late=0,
            first_time=at,
            last_time=at,
            speed_kmh_count=0,
            soc_pct_count=0,
            battery_temp_c_count=0,
            energy_dc_kwh_count=0,
        )
    page = company.browser().get(reverse("device", args=["D1"]))
    assert [hour["n"] for hour in page.context["hours"]] == [0] * 20 + [40, 0, 0, 10]
    assert page.context["gaps"] == 22


def test_it_records_who_removed_a_second_factor(company: Company) -> None:
    TOTP.activate(company.people[Role.VIEWER], "JBSWY3DPEHPK3PXP")
    factor = Authenticator.objects.get()
    staff = Browser()
    staff.force_login(a_person(is_staff=True, is_superuser=True))
    page = staff.get(reverse("admin:mfa_authenticator_change", args=[factor.pk]))
    assert page.status_code == 200
    assert factor.data["secret"] not in page.content.decode()
    staff.post(reverse("admin:mfa_authenticator_delete", args=[factor.pk]), {"post": "yes"})
    assert not Authenticator.objects.exists()
    entry = AuditEntry.unscoped.latest("pk")
    assert entry.action == "user.second_factor_removed"
