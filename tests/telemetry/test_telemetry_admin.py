"""Support's pages about devices and latest states."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from telemetry.inspection import kept, watches
from telemetry.models import DeviceHealth, QuarantinedFrame
from telemetry.storage.connection import connect
from telemetry.storage.store import Store
from telemetry.streams import INGRESS, sync_client
from tenants import services
from tenants.models import AuditEntry
from tests import people
from tests.telemetry.readings import SECOND, vehicle_reading


@pytest.fixture
def support(committed, db):
    """A client of staff with access to one of two customers, whose vehicles both spoke."""
    staff = people.a_person(is_staff=True, is_superuser=True)
    mine, other = people.an_organisation(), people.an_organisation()
    services.grant_support_access(
        staff=staff, tenant=mine, reason="ticket 1", duration=timedelta(hours=1)
    )
    now = int(timezone.now().timestamp()) * SECOND
    with connect("outrider tests") as connection:
        store = Store(connection)
        for tenant, reference in ((mine, "MINE-1"), (other, "OTHER-1")):
            vehicle = people.a_vehicle(tenant, reference)
            device, _ = people.a_device(tenant, f"D-{reference}", vehicle=vehicle)
            store.store(
                [vehicle_reading(vehicle.pk, at=now, tenant_id=tenant.pk, device_id=device.pk,
                                 soc_pct=41.5, driver="<b>bold</b>")]
            )  # fmt: skip
            QuarantinedFrame.objects.create(
                log_id=reference, tenant_id=tenant.pk, device_id=device.pk, adapter="a",
                adapter_version=1, code="out_of_range", field="lat", detail="91 is not",
                raw=b"", raw_size=0, received_at=timezone.now() - timedelta(minutes=1),
            )  # fmt: skip
    return people.client_of(staff)


PAGES = ["devicehealth", "vehiclelatest"]


@pytest.mark.parametrize("page", PAGES)
def test_it_lists_the_supported_customers_things_and_finds_them(support, page):
    url = reverse(f"admin:telemetry_{page}_changelist")
    text = support.get(url).content.decode()
    assert "MINE-1" in text and "OTHER-1" not in text
    assert "MINE-1" in support.get(url, {"q": "mine-1"}).content.decode()
    for nothing in ("OTHER-1", "x"):
        assert support.get(url, {"q": nothing}).context["cl"].result_count == 0
    assert support.get(url, {"q": "a\0b"}).status_code == 200


def test_it_tells_why_a_vehicle_is_dark(support):
    health = DeviceHealth.objects.order_by("device_id").first()
    text = support.get(
        reverse("admin:telemetry_devicehealth_change", args=[health.pk])
    ).content.decode()
    assert "soc_pct 41.5" in text and "out_of_range lat" in text and "91 is not" in text
    other = DeviceHealth.objects.order_by("device_id").last()
    answer = support.get(reverse("admin:telemetry_devicehealth_change", args=[other.pk]))
    assert answer.status_code == 302


def test_support_sees_frames_as_they_come_in_and_makes_no_others_device_watched(support):
    mine, other = DeviceHealth.objects.order_by("device_id")
    client = sync_client()
    client.delete(watches._watches())
    for health in (mine, other):
        frame = kept.keep(f"<b>of {health.device_id}</b>", "telemetry.v1.json", 1)
        client.delete(watches._frames(health.device_id))
        client.lpush(watches._frames(health.device_id), kept.encoded(frame))
    page = reverse("admin:telemetry_devicehealth_change", args=[mine.pk])
    assert f"&lt;b&gt;of {mine.device_id}" in support.get(page).content.decode()
    support.get(reverse("admin:telemetry_devicehealth_change", args=[other.pk]))
    assert client.zrange(watches._watches(), 0, -1) == [
        f"{mine.tenant_id}:{mine.device_id}".encode()
    ]
    client.delete(watches._watches(), *(watches._frames(each.device_id) for each in (mine, other)))


def test_it_filters_by_silence(support):
    url = reverse("admin:telemetry_devicehealth_changelist")
    assert support.get(url, {"silent": "60"}).context["cl"].result_count == 0
    DeviceHealth.objects.update(last_seen=timezone.now() - timedelta(hours=2))
    assert support.get(url, {"silent": "60"}).context["cl"].result_count == 1


def test_a_page_of_devices_takes_as_many_queries_as_one_device(
    support, django_assert_max_num_queries
):
    health = DeviceHealth.objects.order_by("device_id").first()
    DeviceHealth.objects.bulk_create(
        DeviceHealth(device_id=10**9 + n, tenant_id=health.tenant_id) for n in range(40)
    )
    url = reverse("admin:telemetry_devicehealth_changelist")
    with django_assert_max_num_queries(12):
        assert support.get(url).context["cl"].result_count == 41


def test_it_shows_the_quarantine_and_replays_from_it(support, empty_logs):
    """A reading of the supported customer, refused once and good by now; nobody else's."""
    health = DeviceHealth.objects.filter(refused=0)
    mine = QuarantinedFrame.objects.get(log_id="MINE-1")
    assert health.exists()
    good = b'{"seq":1,"time":1700000000000,"lat":9.5,"lon":1.5}'
    QuarantinedFrame.objects.update(adapter="telemetry.v1.json", raw=good, raw_size=len(good))
    url = reverse("admin:telemetry_quarantinedframe_changelist")
    page = support.get(url)
    assert [frame.pk for frame in page.context["cl"].result_list] == [mine.pk]
    for nothing in ({"q": "OTHER"}, {"code": "malformed"}, {"replay": "accepted"}):
        assert support.get(url, nothing).context["cl"].result_count == 0
    shown = support.get(reverse("admin:telemetry_quarantinedframe_change", args=[mine.pk]))
    assert "&quot;lat&quot;:9.5" in shown.content.decode()
    everything = list(QuarantinedFrame.objects.values_list("pk", flat=True))
    for told in ("1 accepted", "already accepted"):
        answer = support.post(
            url, {"action": "replay", "_selected_action": everything}, follow=True
        )
        assert told in answer.content.decode()
    mine.refresh_from_db()
    assert mine.replay_outcome == "accepted"
    assert QuarantinedFrame.objects.get(log_id="OTHER-1").replayed_at is None
    assert sum(INGRESS.depth(n).entries for n in range(INGRESS.partitions)) == 1
    assert AuditEntry.unscoped.filter(
        action="quarantine.replayed", tenant_id=mine.tenant_id
    ).exists()
