"""Dashboards hear what happens to alerts, of their own organisation."""

import asyncio

import pytest
from channels.layers import get_channel_layer
from django.utils import timezone

from alerts.announce import publish
from alerts.models import Alert
from telemetry.consumers.dashboard import MAX_ALERTS_WAITING, DashboardConsumer
from telemetry.rooms import alerts_group_of


def an_alert(tenant_id):
    return Alert(
        tenant_id=tenant_id,
        kind="v",
        subject_reference="V1",
        title="Speeding",
        severity="high",
        opened_at=timezone.now(),
    )


async def test_it_tells_the_group_of_the_organisation_and_no_other():
    layer = get_channel_layer()
    mine, theirs = await layer.new_channel(), await layer.new_channel()
    await layer.group_add(alerts_group_of(1), mine)
    await layer.group_add(alerts_group_of(2), theirs)
    await asyncio.to_thread(publish, [("alert.opened", an_alert(1))])
    message = await asyncio.wait_for(layer.receive(mine), 5)
    assert message["type"] == "alert.event" and message["event"] == "alert.opened"
    assert message["alert"]["subject"] == "V1" and message["alert"]["severity"] == "high"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(layer.receive(theirs), 0.3)


def test_it_has_a_handler_for_them_and_a_bound_on_what_waits():
    assert hasattr(DashboardConsumer, "alert_event")
    assert MAX_ALERTS_WAITING <= 1000
