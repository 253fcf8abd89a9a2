"""What every organisation starts with."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from alerts.channels import create_channel
from alerts.models import Channel, Rule
from alerts.rules import PLATFORM, create_rule
from tenants.actors import Actor
from tenants.models import Membership, Organisation, Role


def _threshold(metric: str, op: str, value: float, clear: float) -> dict[str, Any]:
    return {"conditions": [{"metric": metric, "op": op, "value": value, "clear": clear}]}


STARTING_RULES: dict[str, dict[str, Any]] = {
    "Low charge": {
        "kind": "threshold",
        "params": _threshold("soc_pct", "<", 15, 18),
        "duration_s": 60,
        "clear_duration_s": 60,
        "cooldown_s": 600,
        "severity": "high",
    },
    "Speeding": {
        "kind": "threshold",
        "params": _threshold("speed_kmh", ">", 120, 115),
        "duration_s": 10,
        "clear_duration_s": 10,
        "cooldown_s": 300,
        "max_gap_s": 120,
        "severity": "medium",
    },
    "Battery too hot": {
        "kind": "threshold",
        "params": _threshold("battery_temp_c", ">", 80, 75),
        "duration_s": 10,
        "clear_duration_s": 30,
        "severity": "critical",
    },
    "No telemetry": {"kind": "silence", "params": {"after_s": 300}, "severity": "medium"},
}

PLATFORM_RULES: dict[str, dict[str, Any]] = {
    "Ingest lag": {
        "kind": "ingest_lag",
        "params": {"threshold_s": 30, "clear_s": 5},
        "clear_duration_s": 30,
        "severity": "critical",
    },
}


@transaction.atomic
def ensure_starting_rules(tenant: Organisation) -> list[Rule]:
    """The starting rules, and the owners' e-mail as the organisation's first channel.

    Does nothing where the organisation has, or has had, a rule. Call it when an organisation
    is created; the beat catches those that were created otherwise.
    """
    # Two callers at once: the second waits, and finds the rules made.
    Organisation.objects.select_for_update().get(pk=tenant.pk)
    if Rule.objects.for_tenant(tenant).exists():
        return []
    actor = Actor.command(tenant, "Outrider")
    if not Channel.objects.for_tenant(tenant).exists():
        for owner in Membership.objects.for_tenant(tenant).filter(role=Role.OWNER):
            create_channel(
                actor=actor,
                name=f"E-mail to {owner.user}",
                kind="email",
                address=owner.user.email,
                user=owner.user,
                is_default=True,
            )
    rules = PLATFORM_RULES if tenant.slug == PLATFORM else STARTING_RULES
    return [
        create_rule(actor=actor, name=name, definition=definition)
        for name, definition in rules.items()
    ]


def ensure_starting_rules_everywhere() -> int:
    """For organisations without any rule. Returns how many got theirs."""
    without = Organisation.objects.filter(archived_at=None).exclude(
        pk__in=Rule.unscoped.values("tenant_id")
    )
    return sum(bool(ensure_starting_rules(tenant)) for tenant in without[:500])
