"""Channels with their secrets, and the log of deliveries."""

import pytest

from alerts import channels
from alerts.models import Channel, Delivery, DeliveryStatus
from tenants.actors import Actor
from tenants.errors import DomainError
from tenants.models import Membership, Role, User
from tests.alerts.pages import get, logged_in, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(owner):
    return logged_in(owner)


CHANNEL = {
    "kind": "webhook", "name": "Hook", "address": "https://hook.example/in", "person": "",
    "is_default": "on", "period-TOTAL_FORMS": "1", "period-INITIAL_FORMS": "0",
    "period-0-days": ["5", "6"], "period-0-start": "22:00", "period-0-end": "24:00",
}  # fmt: skip


def test_it_shows_a_secret_once(client):
    page = client.post("/alerts/channels/new", CHANNEL, secure=True)
    assert b"whsec_" in page.content and page["Cache-Control"] == "no-store"
    channel = Channel.unscoped.get()
    assert channel.quiet_hours == [{"days": [5, 6], "start": 1320, "end": 1440}]
    assert "whsec_" not in get(client, "/alerts/channels")
    assert "Sat Sun 22:00 – 24:00" in get(client, "/alerts/channels")
    rotated = client.post(f"/alerts/channels/{channel.public_id}/rotate", secure=True)
    assert b"whsec_" in rotated.content and rotated["Cache-Control"] == "no-store"


def test_it_masks_a_chat_service_and_keeps_it_on_saving(client):
    secret = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
    fields = CHANNEL | {"kind": "apprise", "address": secret}
    post(client, "/alerts/channels/new", **fields)
    channel = Channel.unscoped.get()
    edit = f"/alerts/channels/{channel.public_id}"
    assert "TIiajk" not in get(client, "/alerts/channels") + get(client, edit)
    before = channels.secrets_of(channel)
    post(client, edit, **fields | {"name": "Chat", "address": "", "enabled": "on"})
    channel.refresh_from_db()
    assert channel.name == "Chat" and channels.secrets_of(channel) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "ftp://x"}, {"address": ""}, {"name": ""}, {"kind": "pigeon"},
        {"kind": "email", "address": "nobody"}, {"person": "00000000-0000-4000-8000-000000000000"},
        {"period-0-end": "21:00"}, {"name": "a\0b"},
    ],
)  # fmt: skip
def test_it_refuses_a_channel_that_reaches_nobody(client, changes):
    response = client.post("/alerts/channels/new", CHANNEL | changes, secure=True)
    assert response.status_code == 422 and not Channel.unscoped.exists()


@pytest.fixture
def viewer(tenant):
    user = User.objects.create_user("viewer@acme.example", "a long password")
    Membership.objects.create(tenant=tenant, user=user, role=Role.VIEWER)
    return user


CONTACT = {
    "kind": "email", "name": "My phone", "address": "me@home.example", "is_default": "on",
    "period-TOTAL_FORMS": "1", "period-INITIAL_FORMS": "0",
    "period-0-days": ["0"], "period-0-start": "22:00", "period-0-end": "24:00",
}  # fmt: skip


def test_everybody_has_contacts_and_quiet_hours_of_their_own(tenant, owner, viewer):
    mine = logged_in(viewer)
    assert "Add my contact" in get(mine, "/alerts/channels")
    form = get(mine, "/alerts/channels/new")
    assert 'name="person"' not in form and 'value="webhook"' not in form
    someone_else = str(Membership.objects.for_tenant(tenant).get(user=owner).public_id)
    post(mine, "/alerts/channels/new", **CONTACT, person=someone_else)
    channel = Channel.unscoped.get()
    assert (channel.user, channel.is_default) == (viewer, True)
    assert channel.quiet_hours == [{"days": [0], "start": 1320, "end": 1440}]
    path = f"/alerts/channels/{channel.public_id}"
    assert path in get(mine, "/alerts/channels")
    changed = CONTACT | {"name": "Mail", "enabled": "on", "period-0-start": "20:00"}
    post(mine, path, **changed)
    channel.refresh_from_db()
    assert channel.name == "Mail" and channel.quiet_hours[0]["start"] == 1200
    post(mine, f"{path}/test")
    assert Delivery.unscoped.get().channel == channel
    post(mine, f"{path}/archive")
    channel.refresh_from_db()
    assert channel.archived_at is not None
    post(mine, f"{path}/restore")
    channel.refresh_from_db()
    assert channel.archived_at is None


def test_nobody_changes_what_is_not_theirs(actor, owner, viewer):
    mine = logged_in(viewer)
    for user in (None, owner):
        channel, _ = channels.create_channel(
            actor=actor, name=f"Of {user}", kind="webhook", address="https://a.example", user=user
        )
        path = f"/alerts/channels/{channel.public_id}"
        assert path not in get(mine, "/alerts/channels")
        get(mine, path, status=403)
        for action in ("", "/test", "/rotate", "/archive", "/restore"):
            assert mine.post(f"{path}{action}", CONTACT, secure=True).status_code == 403
        before = channels.secrets_of(channel)
        channel.refresh_from_db()
        assert (channel.archived_at, channels.secrets_of(channel)) == (None, before)
    assert not Delivery.unscoped.exists()


def test_a_contact_of_ones_own_is_for_a_person_and_there_are_few(tenant, viewer):
    mine = logged_in(viewer)
    hook = CONTACT | {"kind": "webhook", "address": "https://a.example"}
    assert mine.post("/alerts/channels/new", hook, secure=True).status_code == 422
    me = Actor.member(tenant, viewer, Role.VIEWER)
    refused = {"kind": "webhook", "address": "https://a.example", "user": viewer}
    with pytest.raises(DomainError, match="an e-mail or a message"):
        channels.create_channel(actor=me, name="Hook", **refused)
    with pytest.raises(DomainError, match="alerts:write"):
        channels.create_channel(actor=me, name="All", kind="email", address="a@b.example")
    for n in range(channels.MOST_OWN):
        channels.create_channel(
            actor=me, name=f"Mail {n}", kind="email", address="a@b.example", user=viewer
        )
    response = mine.post("/alerts/channels/new", CONTACT, secure=True)
    assert response.status_code == 422 and b"contacts already" in response.content
    removed = Channel.unscoped.filter(user=viewer).first()
    channels.archive_channel(actor=me, channel=removed)
    channels.create_channel(
        actor=me, name="Another", kind="email", address="a@b.example", user=viewer
    )
    restored = post(mine, f"/alerts/channels/{removed.public_id}/restore").content.decode()
    assert "contacts already" in restored
    removed.refresh_from_db()
    assert removed.archived_at is not None, "removing and bringing back makes no more room"


def test_staff_that_looks_on_adds_nothing(tenant, viewer):
    looking = Actor.support(tenant, viewer)
    assert not channels.may_add_own(looking)
    with pytest.raises(DomainError, match="alerts:write"):
        channels.create_channel(
            actor=looking, name="Mine", kind="email", address="a@b.example", user=viewer
        )


def test_it_lists_the_given_up_and_sends_them_again(client, actor, django_assert_max_num_queries):
    channel, _ = channels.create_channel(
        actor=actor, name="Mail", kind="email", address="a@acme.example"
    )
    for _n in range(5):
        channels.send_test(actor=actor, channel=channel)
    Delivery.unscoped.update(status=DeliveryStatus.DEAD)
    with django_assert_max_num_queries(13):
        page = get(client, "/alerts/deliveries?status=dead")
    assert page.count('name="delivery"') == 5
    keys = [str(key) for key in Delivery.unscoped.values_list("key", flat=True)[:3]]
    said = post(client, "/alerts/deliveries/resend", delivery=keys).content.decode()
    assert "3 messages are on their way again" in said
    assert Delivery.unscoped.filter(status=DeliveryStatus.QUEUED).count() == 3
    assert (
        "Tick a message first"
        in post(client, "/alerts/deliveries/resend", delivery="garbage").content.decode()
    )
    get(client, "/alerts/deliveries?channel=garbage&status=garbage&event=garbage&after=x")


def test_it_removes_a_channel_and_brings_it_back(client, actor):
    channel, _ = channels.create_channel(
        actor=actor, name="Mail", kind="email", address="a@acme.example"
    )
    path = f"/alerts/channels/{channel.public_id}"
    assert f"{path}/restore" in post(client, f"{path}/archive").content.decode()
    get(client, path, status=404)
    post(client, f"{path}/restore")
    assert "a@acme.example" in get(client, "/alerts/channels")
