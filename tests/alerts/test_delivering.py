"""Somebody hears, once: against a real SMTP server and a real, badly behaved HTTP receiver."""

import email
import email.policy
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from standardwebhooks import Webhook

from alerts import channels, delivering, evaluation, life
from alerts.channels import create_channel
from alerts.digest import send_digests
from alerts.models import Alert, Channel, Delivery, DeliveryAttempt
from alerts.notifiers import outbound
from alerts.notifiers.apprise import SERVICES
from alerts.notifiers.notifier import Message, summary
from alerts.rules import create_rule
from tenants.errors import DomainError
from tenants.models import Membership, Role, User
from tests.alerts.conftest import make_vehicle, reading_of, store
from tests.alerts.receivers import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def webhook(actor, receiver):
    channel, secret = create_channel(
        actor=actor, name="Hook", kind="webhook", address=receiver.url, is_default=True
    )
    channel.plain_secret = secret
    return channel


def speeding(actor, **fields):
    conditions = [{"metric": "speed_kmh", "op": ">", "value": 120}]
    definition = {"kind": "threshold", "params": {"conditions": conditions}, **fields}
    return create_rule(actor=actor, name="Speeding", definition=definition)


def raise_alert(vehicle, *, ago=5.0):
    store(reading_of(vehicle, ago=ago, speed_kmh=140.0))
    evaluation.evaluate(for_seconds=0.2)
    return Alert.unscoped.latest("pk")


def calm(vehicle, *, ago=1.0):
    store(reading_of(vehicle, ago=ago, speed_kmh=50.0))
    evaluation.evaluate(for_seconds=0.2)


def deliver():
    return delivering.deliver_all_due(for_seconds=20)


def make_due():
    """As if the waiting were over."""
    Delivery.unscoped.filter(status="queued").update(due_at=timezone.now())
    Channel.unscoped.update(paused_until=None)


def test_it_calls_a_webhook_once_when_an_alert_opens_and_once_when_it_ends(
    actor, vehicle, webhook, receiver
):
    speeding(actor)
    raise_alert(vehicle)
    deliver()
    calm(vehicle)
    deliver()
    deliver()
    bodies = [json.loads(body) for _, _, body in receiver.requests]
    assert [body["type"] for body in bodies] == ["alert.opened", "alert.resolved"]
    assert bodies[0]["data"]["subject"] == "V1"
    assert bodies[0]["data"]["values"] == {"speed_kmh": 140.0}


def test_it_signs_what_it_sends(actor, vehicle, webhook, receiver):
    speeding(actor)
    raise_alert(vehicle)
    deliver()
    _, headers, body = receiver.requests[0]
    assert Webhook(webhook.plain_secret).verify(body, headers)["type"] == "alert.opened"
    assert headers["webhook-id"] == str(Delivery.unscoped.get().key)


def test_it_signs_with_both_secrets_for_a_while_after_a_rotation(actor, webhook, receiver):
    new = channels.rotate_secret(actor=actor, channel=webhook)
    channels.send_test(actor=actor, channel=Channel.unscoped.get())
    deliver()
    _, headers, body = receiver.requests[0]
    for secret in (webhook.plain_secret, new):
        assert Webhook(secret).verify(body, headers)
    channel = Channel.unscoped.get()
    assert webhook.plain_secret.encode() not in bytes(channel.sealed)


def test_it_tries_again_after_a_failure_and_can_be_recognised(actor, vehicle, webhook, receiver):
    speeding(actor)
    raise_alert(vehicle)
    receiver.mode = "failing"
    deliver()
    delivery = Delivery.unscoped.get()
    assert delivery.status == "queued" and delivery.due_at > timezone.now()
    receiver.mode = "ok"
    make_due()
    deliver()
    delivery.refresh_from_db()
    assert delivery.status == "sent" and delivery.attempts == 2
    assert len({headers["webhook-id"] for _, headers, _ in receiver.requests}) == 1
    log = list(DeliveryAttempt.unscoped.order_by("id"))
    assert [(a.succeeded, a.response_status, a.response) for a in log] == [
        (False, 500, "out of order"),
        (True, 200, "thanks"),
    ]


def test_it_does_not_follow_a_redirect(actor, vehicle, webhook, receiver):
    speeding(actor)
    raise_alert(vehicle)
    receiver.mode = "redirecting"
    deliver()
    assert [path for path, _, _ in receiver.requests] == ["/hook"]
    assert DeliveryAttempt.unscoped.get().failure == "Redirects are not followed."


@pytest.mark.parametrize("mode", ["hanging", "dripping"])
def test_it_waits_for_a_slow_receiver_only_so_long(
    actor, vehicle, webhook, receiver, mode, monkeypatch
):
    monkeypatch.setattr(outbound, "LONGEST_S", 0.5)
    speeding(actor)
    raise_alert(vehicle)
    receiver.mode = mode
    deliver()
    attempt = DeliveryAttempt.unscoped.get()
    assert not attempt.succeeded and "Timeout" in attempt.failure
    assert 400 <= attempt.duration_ms < 1500


def test_it_reads_only_the_beginning_of_an_endless_answer(actor, webhook, receiver):
    receiver.mode = "flooding"
    channels.send_test(actor=actor, channel=webhook)
    deliver()
    attempt = DeliveryAttempt.unscoped.get()
    assert attempt.succeeded and len(attempt.response) == 2000


def test_it_stops_calling_an_endpoint_that_keeps_failing_and_comes_back(
    actor, fleet, webhook, receiver
):
    speeding(actor)
    receiver.mode = "failing"
    for n in range(8):
        raise_alert(make_vehicle(fleet, f"W{n}"))
    deliver()
    called = len(receiver.requests)
    assert called == delivering.BREAKS_AFTER + 3  # those claimed together with the fifth
    channel = Channel.unscoped.get()
    assert channel.paused_until > timezone.now()
    make_due()
    Channel.unscoped.update(paused_until=timezone.now() + timedelta(minutes=5))
    deliver()
    assert len(receiver.requests) == called
    receiver.mode = "ok"
    make_due()
    deliver()
    assert Delivery.unscoped.filter(status="sent").count() == 8
    channel.refresh_from_db()
    assert channel.failures == 0 and channel.paused_until is None


def test_it_tries_a_paused_endpoint_with_one_message(actor, fleet, webhook, receiver):
    speeding(actor)
    for n in range(4):
        raise_alert(make_vehicle(fleet, f"W{n}"))
    Channel.unscoped.update(failures=delivering.BREAKS_AFTER)
    assert len(delivering.claim(now=timezone.now())) == 1
    assert delivering.claim(now=timezone.now()) == []


def test_it_gives_up_in_the_end_and_a_person_can_send_again(actor, vehicle, webhook, receiver):
    speeding(actor)
    raise_alert(vehicle)
    receiver.mode = "failing"
    Delivery.unscoped.update(attempts=delivering.MOST_ATTEMPTS - 1)
    deliver()
    dead = Delivery.unscoped.get()
    assert dead.status == "dead"
    receiver.mode = "ok"
    make_due()
    channels.resend(actor=actor, delivery=dead)
    deliver()
    dead.refresh_from_db()
    assert dead.status == "sent"
    assert len({headers["webhook-id"] for _, headers, _ in receiver.requests}) == 1


def test_it_stops_when_the_receiver_says_gone(actor, webhook, receiver):
    receiver.mode = "gone"
    channels.send_test(actor=actor, channel=webhook)
    deliver()
    assert Delivery.unscoped.get().status == "dead"


def test_it_sends_again_with_the_same_key_when_a_worker_died_after_sending(
    actor, vehicle, webhook, receiver, monkeypatch
):
    speeding(actor)
    raise_alert(vehicle)

    def die(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(delivering, "_log_attempt", die)
    with pytest.raises(KeyboardInterrupt):
        deliver()
    monkeypatch.undo()
    assert deliver() == 0  # claimed still
    Delivery.unscoped.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert deliver() == 1
    keys = [headers["webhook-id"] for _, headers, _ in receiver.requests]
    assert len(keys) == 2 and len(set(keys)) == 1
    assert Delivery.unscoped.get().status == "sent"


def test_it_never_gives_one_delivery_to_two_workers(actor, vehicle, webhook):
    speeding(actor)
    raise_alert(vehicle)
    now = timezone.now()
    assert len(delivering.claim(now=now)) == 1
    assert delivering.claim(now=now) == []


def test_it_sends_mail_as_text_and_html(actor, vehicle, mailbox, settings):
    settings.PUBLIC_URL = "https://fleet.example/"
    create_channel(
        actor=actor, name="Mail", kind="email", address="duty@acme.example", is_default=True
    )
    vehicle.name = "<b>Van</b>\r\nBcc: everybody@acme.example"
    vehicle.save()
    speeding(actor)
    raise_alert(vehicle)
    deliver()
    [raw] = mailbox.messages
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["to"] == "duty@acme.example" and message["bcc"] is None
    assert str(Delivery.unscoped.get().key) in message["message-id"]
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    alert = Alert.unscoped.get()
    since = alert.started_at.astimezone(ZoneInfo("Europe/Berlin"))
    assert "Speed: 140 km/h" in text and "<b>Van</b>" in text
    assert f"Since: {since.day} {since:%b %Y, %H:%M:%S} CE" in text
    assert f"https://fleet.example/alerts/{alert.public_id}" in text.splitlines()
    assert f'href="https://fleet.example/alerts/{alert.public_id}"' in html
    assert "&lt;b&gt;Van&lt;/b&gt;" in html and "<b>Van" not in html


@pytest.mark.parametrize(("answer", "status"), [("451 try later", "queued"), ("554 never", "dead")])
def test_it_tells_a_mail_server_that_is_busy_from_one_that_refuses(
    actor, vehicle, mailbox, answer, status
):
    create_channel(
        actor=actor, name="Mail", kind="email", address="duty@acme.example", is_default=True
    )
    speeding(actor)
    raise_alert(vehicle)
    mailbox.answer = answer
    deliver()
    assert Delivery.unscoped.get().status == status


def test_it_tells_nobody_of_a_late_alert(actor, vehicle, webhook):
    speeding(actor)
    store(reading_of(vehicle, ago=9000, late=8000, speed_kmh=140.0))
    evaluation.evaluate(for_seconds=0.2)
    assert Alert.unscoped.get().late
    assert not Delivery.unscoped.exists()


def test_it_tells_of_a_late_alert_once_it_is_still_true_now(actor, vehicle, webhook):
    speeding(actor)
    store(reading_of(vehicle, ago=9000, late=8000, speed_kmh=140.0))
    store(reading_of(vehicle, ago=1, speed_kmh=141.0))
    evaluation.evaluate(for_seconds=0.2)
    assert not Alert.unscoped.get().late
    assert Delivery.unscoped.get().event == "alert.opened"


def escalating(actor, first, second):
    steps = [{"channels": [first.pk]}, {"channels": [second.pk], "after_minutes": 10}]
    return speeding(actor, steps=steps)


@pytest.fixture
def boss(actor, receiver):
    address = receiver.url.replace("/hook", "/boss")
    channel, _ = create_channel(actor=actor, name="Boss", kind="webhook", address=address)
    return channel


def test_it_escalates_when_nobody_acknowledges(actor, vehicle, webhook, boss, receiver):
    escalating(actor, webhook, boss)
    raise_alert(vehicle)
    deliver()
    assert [path for path, _, _ in receiver.requests] == ["/hook"]
    make_due()
    deliver()
    assert [path for path, _, _ in receiver.requests] == ["/hook", "/boss"]


def test_it_does_not_escalate_what_somebody_has_acknowledged(
    actor, vehicle, webhook, boss, receiver
):
    escalating(actor, webhook, boss)
    alert = raise_alert(vehicle)
    life.acknowledge(actor=actor, alerts=[alert])
    make_due()
    deliver()
    assert [path for path, _, _ in receiver.requests] == ["/hook"]


def test_it_tells_the_defaults_when_nobody_whom_the_rule_names_is_left(actor, fleet, webhook):
    boss, _ = create_channel(actor=actor, name="Boss", kind="email", address="boss@acme.example")
    spare, _ = create_channel(actor=actor, name="Spare", kind="email", address="s@acme.example")
    speeding(actor, steps=[{"channels": [boss.pk]}, {"channels": [spare.pk], "after_minutes": 5}])
    told = []
    for number, goes in enumerate((None, boss, spare)):
        if goes is not None:
            channels.archive_channel(actor=actor, channel=goes)
        alert = raise_alert(make_vehicle(fleet, f"W{number}"))
        told.append({each.channel for each in Delivery.unscoped.filter(alert=alert)})
    assert told == [{boss, spare}, {spare}, {webhook}]


def test_it_tells_nothing_to_a_person_who_has_left(tenant, actor, vehicle, mailbox):
    """Neither of new alerts, nor of what was queued before they went."""
    user = User.objects.create_user("gone@acme.example", "a long password")
    member = Membership.objects.create(tenant=tenant, user=user, role=Role.VIEWER)
    channels.create_channel(
        actor=actor, name="Mail", kind="email", address=user.email, user=user, is_default=True
    )
    speeding(actor)
    raise_alert(vehicle)
    member.delete()
    deliver()
    assert Delivery.unscoped.get().status == "cancelled" and not mailbox.messages
    calm(vehicle)
    raise_alert(vehicle, ago=0.5)
    assert Alert.unscoped.count() == 2 and Delivery.unscoped.count() == 1
    Membership.objects.create(tenant=tenant, user=user, role=Role.VIEWER)
    calm(vehicle, ago=0.3)
    raise_alert(vehicle, ago=0.1)
    deliver()
    assert len(mailbox.messages) == 1


def test_it_waits_for_the_end_of_quiet_hours_unless_it_is_critical(actor, vehicle, webhook):
    always = [{"days": [0, 1, 2, 3, 4, 5, 6]}]
    webhook.quiet_hours = always
    webhook.save()
    speeding(actor)
    raise_alert(vehicle)
    assert deliver() == 0
    assert Delivery.unscoped.get().attempts == 0
    Delivery.unscoped.update(due_at=timezone.now())
    delivery = Delivery.unscoped.get()
    delivery.payload["data"]["severity"] = "critical"
    delivery.save()
    assert deliver() == 1


def test_it_knows_when_quiet_hours_end_in_the_organisations_time_zone(actor, webhook):
    webhook.quiet_hours = [
        {"days": list(range(7)), "start": 22 * 60},
        {"days": list(range(7)), "end": 6 * 60},
    ]
    webhook.save()
    channel = Channel.unscoped.select_related("tenant").get()
    evening = datetime(2026, 7, 1, 21, 30, tzinfo=UTC)  # 23:30 in Berlin
    assert delivering.end_of_quiet_hours(channel, evening) == datetime(2026, 7, 2, 4, tzinfo=UTC)
    assert delivering.end_of_quiet_hours(channel, datetime(2026, 7, 1, 12, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("count", "subject", "last"),
    [
        (1, "[Outrider] 1 alert of low severity", "21 Nov 2026, 11:00:00 CET  Van: Slow"),
        (5, "[Outrider] 5 alerts of low severity", "and 3 more"),
    ],
)
def test_a_digest_tells_how_many_there_were_and_names_the_first(count, subject, last):
    alert = {"opened_at": "2026-11-21T10:00:00Z", "subject_name": "Van", "title": "Slow"}
    data = {"severity": "low", "count": count, "alerts": [alert] * min(count, 2)}
    payload = {"type": "alert.digest", "data": data}
    message = Message("key", "a@b.example", (), "alert.digest", payload, zone="Europe/Berlin")
    said, lines = summary(message)
    assert (said, lines[-1]) == (subject, last)


def test_it_collects_what_is_of_low_severity_into_one_digest(actor, fleet, webhook, receiver):
    speeding(actor, severity="low", digest=True)
    for n in range(3):
        raise_alert(make_vehicle(fleet, f"W{n}"))
    assert deliver() == 0
    eight = timezone.now().astimezone(ZoneInfo("Europe/Berlin")).replace(hour=8, minute=5)
    eight += timedelta(days=1)
    Delivery.unscoped.update(created_at=eight - timedelta(hours=2))
    assert send_digests(now=eight - timedelta(hours=1)) == 0
    assert send_digests(now=eight) == 1
    assert send_digests(now=eight) == 0
    Delivery.unscoped.filter(event="alert.digest").update(due_at=timezone.now())
    deliver()
    [(_, _, body)] = receiver.requests
    assert json.loads(body)["data"]["count"] == 3


def test_it_makes_up_for_a_morning_that_nobody_was_at_work(actor, vehicle, webhook):
    speeding(actor, severity="low", digest=True)
    raise_alert(vehicle)
    berlin = ZoneInfo("Europe/Berlin")
    tomorrow = timezone.now().astimezone(berlin).replace(hour=15) + timedelta(days=1)
    assert send_digests(now=tomorrow) == 1


def test_it_puts_escalation_off_until_a_snooze_is_over(actor, vehicle, webhook, boss, receiver):
    escalating(actor, webhook, boss)
    alert = raise_alert(vehicle)
    until = timezone.now() + timedelta(hours=2)
    life.snooze(actor=actor, alerts=[alert], until=until)
    later = Delivery.unscoped.get(step=1)
    assert (later.status, later.due_at) == ("queued", until)
    make_due()
    deliver()
    assert [path for path, _, _ in receiver.requests] == ["/hook", "/boss"]


def chat(actor, url):
    """A channel to a service of one's own, as if such a service were allowed."""
    channel, _ = create_channel(actor=actor, name="Chat", kind="apprise", address=url)
    return channel


def test_it_sends_through_apprise_and_tries_again(actor, receiver, monkeypatch):
    monkeypatch.setitem(SERVICES, "json", "JSON over HTTP")
    channel = chat(actor, f"json://127.0.0.1:{receiver.port}/chat?token=hidden")
    receiver.mode = "failing"
    delivery = channels.send_test(actor=actor, channel=channel)
    deliver()
    failed = DeliveryAttempt.unscoped.get()
    assert not failed.succeeded and failed.failure and "hidden" not in failed.request
    receiver.mode = "ok"
    make_due()
    deliver()
    delivery.refresh_from_db()
    assert delivery.status == "sent"
    said = json.loads(receiver.requests[-1][2])
    assert "This is a test" in said["message"] and str(delivery.key) in said["message"]


def test_it_calls_no_host_through_apprise_whatever_is_kept(actor, receiver, monkeypatch):
    with monkeypatch.context() as allowing:
        allowing.setitem(SERVICES, "json", "JSON over HTTP")
        channel = chat(actor, f"json://127.0.0.1:{receiver.port}/chat")
    channels.send_test(actor=actor, channel=channel)
    deliver()
    assert receiver.requests == []
    assert Delivery.unscoped.get().status == "dead"


def test_it_spreads_and_bounds_what_is_tried_again():
    for attempts, seconds in ((1, 10), (2, 30), (3, 90), (12, 4 * 3600)):
        waits = [delivering.backoff(attempts).total_seconds() for _ in range(200)]
        assert seconds * 0.5 <= min(waits) < seconds * 0.7
        assert seconds * 1.3 < max(waits) <= seconds * 1.5


def test_it_writes_down_request_answer_and_time(actor, webhook, receiver):
    channels.send_test(actor=actor, channel=webhook)
    deliver()
    log = DeliveryAttempt.unscoped.get()
    assert log.succeeded and (log.response_status, log.response) == (200, "thanks")
    assert f"webhook-id: {Delivery.unscoped.get().key}" in log.request
    assert "webhook-signature" not in log.request
    assert 0 <= log.duration_ms < 10_000


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "ff02::1",
        "::7f00:1",
        "64:ff9b:1::7f00:1",
        "fec0::1",
        "5f00::1",
    ],
)
def test_it_calls_no_address_inside(address):
    assert outbound.is_public(address) is False


def test_it_calls_public_addresses():
    assert outbound.is_public("93.184.216.34") and outbound.is_public("2606:4700::1111")


def test_it_refuses_a_name_that_leads_inside(actor, settings):
    settings.ALERTS_ALLOW_PRIVATE_WEBHOOKS = False
    channel, _ = create_channel(
        actor=actor, name="Inside", kind="webhook", address="https://localhost/hook"
    )
    with Receiver() as receiver:
        Channel.unscoped.update(address=f"http://localhost:{receiver.port}/hook")
        channels.send_test(actor=actor, channel=channel)
        deliver()
        assert receiver.requests == []
    assert "not on the public internet" in DeliveryAttempt.unscoped.get().failure


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("email", "nobody"),
        ("webhook", "http://example.com/"),
        ("webhook", "file:///etc/passwd"),
        ("webhook", "https://user:secret@example.com/"),
        ("apprise", "json://localhost/"),
        ("apprise", "xml://10.0.0.1/"),
        ("apprise", "mailto://user:pass@localhost"),
        ("apprise", "slack://nonsense"),
        ("fax", "12345"),
    ],
)
def test_it_refuses_an_address_nobody_can_be_reached_at(actor, kind, address, settings):
    settings.ALERTS_ALLOW_PRIVATE_WEBHOOKS = False
    with pytest.raises(DomainError) as refusal:
        create_channel(actor=actor, name="X", kind=kind, address=address)
    assert refusal.value.status == 422


def test_it_keeps_the_url_of_a_chat_service_secret(actor):
    url = "tgram://123456789:abcdefg_hijklmnop/12315544/"
    channel, _ = create_channel(actor=actor, name="Chat", kind="apprise", address=url)
    channel.refresh_from_db()
    assert channel.address == "tgram://…"
    assert b"hijklmnop" not in bytes(channel.sealed)
    assert channels.secrets_of(channel) == (url,)
