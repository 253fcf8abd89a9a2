"""What the demonstration tenant is alerted of."""

import pytest

from alerts import evaluation
from alerts.demo import PLACES, RULES, ensure_alerts
from alerts.models import Alert, Channel, Delivery, Rule
from alerts.starting import STARTING_RULES
from fleet.geofences import Geofence
from telemetry.demo import things, yesterday
from telemetry.streams import STORED
from tenants.audit import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(actor, tmp_path, settings, monkeypatch):
    settings.DEMO_SECRETS_DIR = tmp_path
    # As if a writer had stored them at once.
    monkeypatch.setattr(yesterday, "INGRESS", STORED)
    things.ensure_things(actor, vehicles=12, meters=0)
    ensure_alerts(actor)
    return actor


def test_it_finds_alerts_in_the_drives_of_yesterday(demo):
    evaluation.evaluate(for_seconds=1)
    found = Alert.unscoped.values_list("subject_reference", "rule__name", "state")
    assert set(found) == {
        ("V00001", "Speeding", "resolved"),
        ("V00012", "Low charge", "open"),
        ("V00004", "Battery too hot", "resolved"),
    }
    assert not Alert.unscoped.filter(late=True).exists()
    told = set(
        Delivery.unscoped.filter(status="queued").values_list("alert__rule__name", flat=True)
    )
    assert told == {"Speeding", "Low charge", "Battery too hot"}
    assert Channel.unscoped.get().address == "owner@acme.example"


def test_it_adds_nothing_the_second_time(demo):
    def everything():
        logged = sum(STORED.depth(p).entries for p in range(STORED.partitions))
        rows = (Rule, Geofence, Channel)
        counts = [one.unscoped.count() for one in rows]
        return [*counts, AuditEntry._base_manager.count(), logged]

    before = everything()
    assert before[:2] == [len(RULES) + len(STARTING_RULES), len(PLACES)]
    ensure_alerts(demo)
    assert everything() == before
