"""A tenant's rows cannot be reached without naming the tenant."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from tenants.models import AuditEntry, SupportAccess
from tenants.scoping import TenantOwned, UnscopedAccess
from tests import people

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("config", "tenants", "fleet", "telemetry", "alerts")
OWNED = [m for m in apps.get_models() if issubclass(m, TenantOwned)] + [AuditEntry, SupportAccess]

MAY_LOOK_ACROSS_TENANTS = {
    # Finding out who calls, before a tenant is known.
    "tenants/selectors.py",
    # Who holds the link of an invitation belongs to no tenant yet.
    "tenants/invitations.py",
    # One trail for all; support accesses are the platform's own.
    "tenants/audit.py",
    "tenants/services.py",
    # Empty querysets for the API's description.
    "tenants/api/fields.py",
    "tenants/api/views.py",
    # Devices by their secret, and rows by ids that the telemetry path has resolved.
    "fleet/selectors.py",
    # Fan-out of what was stored, whoever owns it: the groups it sends to carry the tenant.
    "telemetry/live.py",
    "telemetry/presence.py",
    # Names of what the health of devices and latest states are about, for staff.
    "telemetry/admin/health.py",
    "telemetry/admin/latest.py",
    "telemetry/admin/quarantine.py",
    # Counts of the whole platform for its own staff, of one tenant for everyone else.
    "telemetry/figures.py",
    # Evaluation and delivery work for every tenant; each row carries its own.
    "alerts/amendment.py",
    "alerts/correction.py",
    "alerts/delivering.py",
    "alerts/digest.py",
    "alerts/dry_run.py",
    "alerts/notify.py",
    "alerts/recording.py",
    "alerts/rulebook.py",
    "alerts/rules.py",
    "alerts/silence.py",
    "alerts/starting.py",
    "alerts/tidying.py",
    # Steps and deliveries of alerts that the caller has already been given.
    "alerts/api/alerts.py",
    "alerts/api/channels.py",
    "alerts/channels.py",
    "alerts/life.py",
}

REACHING: dict[str, Callable[[Any], Any]] = {
    "all": lambda m: m.all(),
    "filter": lambda m: m.filter(pk=1),
    "exclude": lambda m: m.exclude(pk=1),
    "get": lambda m: m.get(pk=1),
    "first": lambda m: m.first(),
    "exists": lambda m: m.exists(),
    "count": lambda m: m.count(),
    "aggregate": lambda m: m.aggregate(n=models.Count("pk")),
    "annotate": lambda m: m.annotate(n=models.Count("pk")),
    "values_list": lambda m: m.values_list("pk"),
    "in_bulk": lambda m: m.in_bulk([1]),
    "iterator": lambda m: m.iterator(),
    "explain": lambda m: m.explain(),
    "select_related": lambda m: m.select_related(),
    "order_by": lambda m: m.order_by("pk"),
    "none": lambda m: m.none(),
    "raw": lambda m: m.get_queryset().raw("select 1"),
    "update": lambda m: m.update(pk=1),
    "delete": lambda m: m.get_queryset().delete(),
    "create": lambda m: m.create(),
    "create without a saved tenant": lambda m: m.create(tenant=None),
    "get_or_create": lambda m: m.get_or_create(pk=1),
    "update_or_create": lambda m: m.update_or_create(pk=1),
    "bulk_create": lambda m: m.bulk_create([]),
    "bulk_update": lambda m: m.bulk_update([], ["pk"]),
    "for_tenant without one": lambda m: m.for_tenant(None),
}


@pytest.mark.parametrize("way", REACHING)
@pytest.mark.parametrize("model", OWNED, ids=lambda m: m.__name__)
def test_it_refuses_every_way_around_the_tenant(model: Any, way: str):
    # Without database access: whatever reached the database would fail differently.
    with pytest.raises((UnscopedAccess, AttributeError)):
        REACHING[way](model.objects)


@pytest.mark.django_db
def test_it_hands_out_the_rows_of_the_named_tenant_only():
    ours, theirs = people.an_organisation(), people.an_organisation()
    people.a_fleet(ours, "F1")
    people.a_fleet(theirs, "F1")
    fleet = apps.get_model("fleet.Fleet")
    assert {f.tenant_id for f in fleet.objects.for_tenant(ours)} == {ours.pk}
    assert {f.tenant_id for f in fleet.objects.for_tenant(theirs.pk)} == {theirs.pk}


def uses_of_unscoped(source: str) -> list[int]:
    """Lines that name the manager or one of Django's own, which is the same one."""
    names = {"unscoped", "_base_manager", "_default_manager"}
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in names
    ]


def test_it_looks_across_tenants_only_where_that_is_the_point():
    found = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "migrations" not in path.parts and uses_of_unscoped(path.read_text())
    }
    assert found <= MAY_LOOK_ACROSS_TENANTS


def test_it_notices_a_use_of_the_unscoped_manager():
    assert uses_of_unscoped("def f():\n    return Vehicle.unscoped.all()") == [2]
    assert uses_of_unscoped("Vehicle._base_manager.all()") == [1]
    assert not uses_of_unscoped("Vehicle.objects.for_tenant(1)")
