"""A handover as plain text, for a chat or a mail: one line for each thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from alerts.handover import Handover
from alerts.models import Alert, AlertState
from telemetry.handover import Fault, Listed, Standing

T = TypeVar("T")


def as_text(told: Handover, organisation: str, zone: ZoneInfo) -> str:
    """Times on the zone's clock. No name begins a line of its own."""

    def wall(at: datetime) -> str:
        local = at.astimezone(zone)
        return f"{local.day} {local:%b %Y, %H:%M}"

    def unresolved(alert: Alert) -> list[str]:
        taken = alert.acknowledged_by if alert.state == AlertState.ACKNOWLEDGED else ""
        return [*_named(alert), wall(alert.opened_at), taken]

    def resolved(alert: Alert) -> list[str]:
        at = alert.resolved_at or told.now
        return [*_named(alert), wall(at), alert.resolved_by or _("by itself")]

    def silent(vehicle: Standing) -> list[str]:
        return [vehicle.name, vehicle.fleet, _("last heard %(time)s") % {"time": wall(vehicle.at)}]

    def low(vehicle: Standing) -> list[str]:
        return [vehicle.name, vehicle.fleet, f"{vehicle.soc_pct:.0f} %", wall(vehicle.at)]

    head = _("%(name)s: %(since)s to %(now)s (%(zone)s)") % {
        "name": organisation,
        "since": wall(told.since),
        "now": wall(told.now),
        "zone": zone.key,
    }
    lines = [
        _line([head]),
        *_part(_("Opened and not over"), told.opened, unresolved),
        *_part(_("Open from before"), told.older, unresolved),
        *_part(_("Over since then"), told.resolved, resolved),
        *_part(_("Gone silent"), told.silent, silent),
        *_part(_("Low charge now"), told.low, low),
        *_part(_("More refused than before"), told.refused, _fault),
    ]
    if told.is_quiet:
        lines += ["", _("Nothing opened, nothing fell silent, nothing is low.")]
    return "\n".join(lines)


def _part(title: str, part: Listed[T], parts_of: Callable[[T], list[str]]) -> Iterator[str]:
    if not part.total:
        return
    yield ""
    yield f"{title}: {part.total}"
    for row in part.rows:
        yield f"- {_line(parts_of(row))}"
    if part.left:
        yield _("and %(n)d more") % {"n": part.left}


def _named(alert: Alert) -> list[str]:
    return [alert.get_severity_display(), alert.subject_label, alert.title]


def _fault(fault: Fault) -> list[str]:
    grown = _("%(n)d, before that %(before)d") % {"n": fault.n, "before": fault.before}
    return [fault.device.name if fault.device else "HTTP", fault.reason, grown]


def _line(parts: list[str]) -> str:
    return " · ".join(" ".join(part.split()) for part in parts if part)
