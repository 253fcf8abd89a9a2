"""What the inbox is narrowed by: all of it stands in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from alerts.models import Alert, AlertState, Severity

STATES: Final[dict[str, str | Promise]] = {
    "": _("Unresolved"),
    "open": _("Open"),
    "acknowledged": _("Acknowledged"),
    "snoozed": _("Snoozed"),
    "resolved": _("Resolved"),
    "all": _("All"),
}
COUNTED: Final = ("", "open", "acknowledged", "snoozed")
"""States with few rows, found through an index; the past is not counted."""
GROUPS: Final[dict[str, str | Promise]] = {
    "rule": _("By rule"),
    "vehicle": _("By vehicle"),
    "none": _("Not grouped"),
}
SINCE: Final[dict[str, tuple[str | Promise, timedelta]]] = {
    "1h": (_("Last hour"), timedelta(hours=1)),
    "24h": (_("Last 24 hours"), timedelta(hours=24)),
    "7d": (_("Last 7 days"), timedelta(days=7)),
    "30d": (_("Last 30 days"), timedelta(days=30)),
}


@dataclass(frozen=True, slots=True)
class Narrowing:
    """As the address asks; what makes no sense there asks for nothing."""

    state: str
    severity: str
    rule: str
    fleet: str
    vehicle: str
    meter: str
    assignee: str
    since: str
    group: str

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Narrowing:
        def asked(name: str, known: Mapping[str, Any] | list[str], otherwise: str = "") -> str:
            value = query.get(name, "")
            return value if value in known else otherwise

        def text(name: str) -> str:
            return query.get(name, "").strip().replace("\0", "")[:64]

        return cls(
            state=asked("state", STATES),
            severity=asked("severity", Severity.values),
            rule=_uuid(query.get("rule", "")),
            fleet=text("fleet"),
            vehicle=text("vehicle"),
            meter=text("meter"),
            assignee=text("assignee"),
            since=asked("since", SINCE),
            group=asked("group", GROUPS, "rule"),
        )

    @property
    def is_narrow(self) -> bool:
        return any(
            (
                self.severity, self.rule, self.fleet, self.vehicle, self.meter, self.assignee,
                self.since,
            )
        )  # fmt: skip

    def apart_from_state(
        self, rows: QuerySet[Alert], *, user_id: int | None, now: datetime
    ) -> QuerySet[Alert]:
        if self.severity:
            rows = rows.filter(severity=self.severity)
        if self.rule:
            rows = rows.filter(rule__public_id=self.rule)
        if self.fleet:
            rows = rows.filter(fleet__reference=self.fleet)
        if self.vehicle:
            rows = rows.filter(kind="v", subject_reference=self.vehicle)
        if self.meter:
            rows = rows.filter(kind="m", subject_reference=self.meter)
        if self.since:
            rows = rows.filter(opened_at__gte=now - SINCE[self.since][1])
        return rows.filter(self._assigned(user_id))

    def _assigned(self, user_id: int | None) -> Q:
        if not self.assignee:
            return Q()
        if self.assignee == "nobody":
            return Q(assignee=None)
        if self.assignee == "me":
            return Q(assignee_id=user_id)
        member = _uuid(self.assignee)
        return Q(assignee__memberships__public_id=member) if member else Q(pk__in=[])


def in_state(state: str, now: datetime) -> Q:
    """Snoozed alerts are out of sight until their time has come."""
    asleep = Q(snoozed_until__gt=now)
    awake = Q(snoozed_until=None) | Q(snoozed_until__lte=now)
    unresolved = ~Q(state=AlertState.RESOLVED)
    return {
        "": unresolved & awake,
        "open": Q(state=AlertState.OPEN) & awake,
        "acknowledged": Q(state=AlertState.ACKNOWLEDGED) & awake,
        "snoozed": unresolved & asleep,
        "resolved": Q(state=AlertState.RESOLVED),
        "all": Q(),
    }[state]


def counts(rows: QuerySet[Alert], now: datetime) -> dict[str, int]:
    """How many are in each state that is counted. One query."""
    found: dict[str, int] = rows.filter(~Q(state=AlertState.RESOLVED)).aggregate(
        **{f"n{i}": Count("pk", filter=in_state(s, now)) for i, s in enumerate(COUNTED)}
    )
    return {state: found[f"n{i}"] for i, state in enumerate(COUNTED)}


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""
