"""The platform's own staff hear when ingestion falls behind: from the beat to their mailbox."""

import email
import time

import pytest
from django.test import Client

from alerts import tasks
from alerts.delivering import deliver_all_due
from alerts.models import Alert, Rule
from alerts.rules import update_rule
from alerts.staff import ensure_staff
from telemetry.streams import INGRESS, sync_client
from tenants.actors import Actor
from tenants.models import Membership, Organisation, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_book():
    tasks._book = None
    yield
    tasks._book = None


@pytest.fixture(autouse=True)
def no_other_staff(db):
    """Tests that commit leave people behind."""
    User.objects.filter(is_staff=True).update(is_staff=False, is_superuser=False)


@pytest.fixture
def root():
    return User.objects.create_superuser("root@outrider.example", "a long password")


def members():
    rows = Membership.objects.for_tenant(Organisation.objects.get(slug="platform"))
    return dict(rows.values_list("user__email", "role"))


def test_it_makes_no_organisation_before_there_is_a_superuser():
    User.objects.create_user("support@outrider.example", None, is_staff=True)
    assert ensure_staff() is None
    tasks.tidy()
    assert not Organisation.objects.filter(slug="platform").exists()


def test_it_takes_in_whoever_becomes_staff_and_takes_out_nobody(root):
    tasks.tidy()
    assert members() == {"root@outrider.example": "owner"}
    support = User.objects.create_user("support@outrider.example", None, is_staff=True)
    User.objects.create_user("customer@acme.example", None)
    User.objects.create_user("left@outrider.example", None, is_staff=True, is_active=False)
    tasks.tidy()
    assert members() == {
        "root@outrider.example": "owner",
        "support@outrider.example": "dispatcher",
    }
    support.is_staff = False
    support.save()
    tasks.tidy()
    assert len(members()) == 2


def test_it_asks_the_database_little_when_nothing_is_missing(root, django_assert_num_queries):
    ensure_staff()
    with django_assert_num_queries(3):
        ensure_staff()


def test_it_tells_staff_by_mail_that_ingestion_is_behind_and_when_it_is_not(root, mailbox):
    tasks.tidy()
    rule = Rule.unscoped.get(tenant__slug="platform")
    definition = rule.current.definition
    assert definition["params"] == {"threshold_s": 30, "clear_s": 5}
    # The same with a lag that a test can wait for.
    impatient = definition | {
        "params": {"threshold_s": 1, "clear_s": 0.5},
        "clear_duration_s": 0,
    }
    actor = Actor.command(rule.tenant, "test")
    update_rule(actor=actor, rule=rule, definition=impatient)
    tasks._book = None
    INGRESS.append(0, b"waiting for a writer", 1)
    time.sleep(1.2)
    tasks.sweep()
    alert = Alert.unscoped.get()
    assert alert.state == "open" and alert.values["ingest_lag_s"] >= 1
    deliver_all_due(for_seconds=10)
    client = Client()
    client.force_login(root)
    assert "Ingest lag" in client.get("/alerts", secure=True).content.decode()
    page = client.get(f"/alerts/{alert.public_id}", secure=True)
    assert page.status_code == 200 and "Ingestion" in page.content.decode()
    sync_client().delete(*INGRESS.keys(0))
    tasks.sweep()
    deliver_all_due(for_seconds=10)
    alert.refresh_from_db()
    assert alert.state == "resolved"
    subjects = [email.message_from_bytes(one)["Subject"] for one in mailbox.messages]
    assert [subject.split(":")[0] for subject in subjects] == [
        "[Outrider] CRITICAL",
        "[Outrider] Resolved",
    ]
