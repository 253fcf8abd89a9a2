"""Channels with their secrets, and the log of deliveries."""

import pytest

from alerts import channels
from alerts.models import Channel, Delivery, DeliveryStatus
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
