"""Access that is withdrawn closes open sockets at once, whoever withdraws it and how."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections, transaction

from config.asgi import application
from telemetry.consumers import feed
from tenants import closing, services, withdrawal
from tenants.models import ApiToken, Membership, Organisation, Role, Scope, User
from tenants.selectors import SESSION_TENANT
from tests.people import PASSWORD, Browser, acting, an_organisation, client_of
from tests.telemetry.dashboards import aside, session_of
from tests.telemetry.stream.events import Events


@pytest.fixture(autouse=True)
def committed(
    django_db_setup: None, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """What is done here is committed, and no socket looks by itself while a test runs."""
    monkeypatch.setattr(feed, "CHECK_S", 600.0)
    with django_db_blocker.unblock():
        yield


@pytest.fixture(autouse=True)
async def connections_end() -> Any:
    yield
    await aside(connections.close_all)()


class House:
    """An organisation, committed, with a member and a token."""

    def __init__(self) -> None:
        mark = secrets.token_hex(4)
        self.owner = User.objects.create_user(f"owner-{mark}@example.org")
        self.tenant: Organisation = an_organisation(f"house-{mark}", owner=self.owner)
        self.person = User.objects.create_user(f"viewer-{mark}@example.org", PASSWORD)
        self.staff = User.objects.create_superuser(f"staff-{mark}@example.org")
        self.membership = Membership.objects.create(
            tenant=self.tenant, user=self.person, role=Role.DISPATCHER
        )
        self.token, self.secret = services.issue_token(
            actor=acting(self.tenant), name="wall", scopes=[Scope.TELEMETRY_READ]
        )

    def session_of(self, user: User) -> SessionStore:
        session = session_of(user)
        session[SESSION_TENANT] = self.tenant.pk
        session.save()
        return session

    def browser_of(self, user: User) -> Browser:
        return client_of(user)


@pytest.fixture
async def house(committed: Any) -> House:
    return await aside(House)()


async def socket_of_session(key: str) -> WebsocketCommunicator:
    headers = [
        (b"cookie", f"sessionid={key}".encode()),
        (b"host", b"localhost"),
        (b"origin", b"http://localhost"),
    ]
    return await opened(WebsocketCommunicator(application, "/telemetry", headers=headers))


async def socket_of_token(secret: str) -> WebsocketCommunicator:
    headers = [(b"authorization", f"Bearer {secret}".encode())]
    return await opened(WebsocketCommunicator(application, "/telemetry", headers=headers))


async def opened(socket: WebsocketCommunicator) -> WebsocketCommunicator:
    assert (await socket.connect())[0]
    return socket


async def closing_of(socket: WebsocketCommunicator, timeout: float = 3) -> int:
    while True:
        message = await socket.receive_output(timeout=timeout)
        if message["type"] == "websocket.close":
            return int(message["code"])


def revoke(house: House) -> None:
    services.revoke_token(actor=acting(house.tenant), token=house.token)


def archive(house: House) -> None:
    closing.archive_organisation(tenant=house.tenant, by=house.staff, reason="left")


@pytest.mark.parametrize("withdraw", [revoke, archive])
async def test_it_closes_the_sockets_of_a_token(
    house: House, withdraw: Callable[[House], None]
) -> None:
    socket = await socket_of_token(house.secret)
    await aside(withdraw)(house)
    assert await closing_of(socket) == 4401


@pytest.mark.parametrize("withdraw", [revoke, archive])
async def test_it_ends_the_event_streams_of_a_token(
    house: House, withdraw: Callable[[House], None]
) -> None:
    stream = await Events(application, secret=house.secret).open()
    await aside(withdraw)(house)
    await ended(stream)


async def ended(stream: Events) -> None:
    await stream.end(timeout=3)
    assert stream.seen[-1]["type"] == "error" and stream.seen[-1]["code"] == "access_ended"
    await stream.close()


def remove(house: House) -> None:
    services.remove_member(actor=acting(house.tenant), membership=house.membership)


def deactivate(house: House) -> None:
    house.person.is_active = False
    house.person.save()


def set_password(house: House) -> None:
    house.person.set_password("another horse battery")
    house.person.save(update_fields=["password"])


def change_password_on_the_page(house: House) -> None:
    browser = house.browser_of(house.person)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    form = {
        "oldpassword": PASSWORD,
        "password1": "another horse battery",
        "password2": "another horse battery",
    }
    assert browser.post("/accounts/password/change/", form).status_code == 302


@pytest.mark.parametrize(
    "withdraw", [remove, archive, deactivate, set_password, change_password_on_the_page]
)
async def test_it_closes_the_sockets_of_a_person(
    house: House, withdraw: Callable[[House], None]
) -> None:
    session = await aside(house.session_of)(house.person)
    socket = await socket_of_session(str(session.session_key))
    await aside(withdraw)(house)
    assert await closing_of(socket) == 4401


@pytest.mark.parametrize("withdraw", [remove, archive, deactivate, set_password])
async def test_it_ends_the_event_streams_of_a_person(
    house: House, withdraw: Callable[[House], None]
) -> None:
    session = await aside(house.session_of)(house.person)
    cookie = (b"cookie", f"sessionid={session.session_key}".encode())
    stream = await Events(application, headers=[cookie]).open()
    assert stream.status == 200
    await aside(withdraw)(house)
    await ended(stream)


async def test_it_closes_the_sockets_of_a_member_who_may_read_no_more(house: House) -> None:
    """A role is asked for anew: here, that of a person whose other organisation is left."""
    session = await aside(house.session_of)(house.person)
    socket = await socket_of_session(str(session.session_key))
    other = await aside(an_organisation)()
    await aside(Membership.objects.create)(tenant=other, user=house.person, role=Role.VIEWER)
    await aside(remove)(house)
    # They are let into the other one now: the page must not show it under the first one's name.
    assert await closing_of(socket) == 4401


async def test_a_changed_role_leaves_a_reader_connected(house: House) -> None:
    session = await aside(house.session_of)(house.person)
    socket = await socket_of_session(str(session.session_key))
    await aside(
        lambda: services.change_role(
            actor=acting(house.tenant), membership=house.membership, role=Role.VIEWER
        )
    )()
    with pytest.raises(TimeoutError):
        await closing_of(socket, timeout=0.5)


@pytest.mark.parametrize("path", ["/accounts/logout/", "/admin/logout/"])
async def test_it_closes_other_tabs_when_a_person_logs_out(house: House, path: str) -> None:
    browser = await aside(house.browser_of)(house.staff)
    await aside(Membership.objects.create)(tenant=house.tenant, user=house.staff, role=Role.VIEWER)
    socket = await socket_of_session(browser.cookies["sessionid"].value)
    await aside(browser.post)(path)
    assert await closing_of(socket) == 4401


def log_in(house: House) -> Browser:
    browser = Browser()
    form = {"login": house.person.email, "password": PASSWORD}
    assert browser.post("/accounts/login/", form).status_code == 302
    return browser


async def test_it_closes_the_sockets_of_a_session_that_is_ended_elsewhere(house: House) -> None:
    here, there = await aside(log_in)(house), await aside(log_in)(house)
    socket = await socket_of_session(there.cookies["sessionid"].value)
    answer = await aside(here.post)("/settings/profile/sessions", {"others": "1"})
    assert answer.status_code == 302
    assert await closing_of(socket) == 4401


async def test_it_closes_the_sockets_of_a_support_access_that_is_ended(house: House) -> None:
    access = await aside(
        lambda: services.grant_support_access(
            tenant=house.tenant, staff=house.staff, reason="a call", duration=timedelta(hours=1)
        )
    )()
    session = await aside(house.session_of)(house.staff)
    socket = await socket_of_session(str(session.session_key))
    await aside(lambda: services.end_support_access(access=access, by=house.staff))()
    assert await closing_of(socket) == 4401


async def test_it_says_nothing_of_what_was_rolled_back(house: House) -> None:
    socket = await socket_of_token(house.secret)

    def change_their_mind() -> None:
        with transaction.atomic():
            revoke(house)
            transaction.set_rollback(True)

    await aside(change_their_mind)()
    assert (await aside(ApiToken.unscoped.get)(pk=house.token.pk)).revoked_at is None
    with pytest.raises(TimeoutError):
        await closing_of(socket, timeout=0.5)


async def test_it_survives_a_channel_layer_that_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        async def group_send(self, group: str, message: Any) -> None:
            raise ConnectionError

    monkeypatch.setattr(withdrawal, "get_channel_layer", Away)
    await aside(revoke)(house)
    assert (await aside(ApiToken.unscoped.get)(pk=house.token.pk)).revoked_at is not None
