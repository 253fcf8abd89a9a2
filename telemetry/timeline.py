"""What happened in a span, in words and in order; and why a vehicle was silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fleet.models import Vehicle
from fleet.selectors import devices_of
from telemetry.clock import from_us, to_us
from telemetry.frames import reason as refusal_reason
from telemetry.journey import Journey
from telemetry.journey_parts import Charge, Gap, Span, Stop
from telemetry.models import QuarantinedFrame, VehicleReadingRow

MOST_REFUSALS: Final = 2000
MOST_REMARKS: Final = 100
SHORT_CHARGE_US: Final = 60_000_000


class Tone(StrEnum):
    """How an event is tagged; it says the same in words."""

    PLAIN = "plain"
    LATE = "late"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Limit:
    """A threshold that an event is about: a line across the chart of `field`."""

    field: str
    value: float


@dataclass(frozen=True)
class Event:
    time: datetime
    text: str
    tag: str = ""
    tone: Tone = Tone.PLAIN
    limits: tuple[Limit, ...] = ()


def reasons(vehicle_id: int, gaps: Sequence[Gap]) -> list[str]:
    """Why each gap is one, by the best evidence there is. Two queries, however many gaps."""
    if not gaps:
        return []
    refused = _refusals(vehicle_id, gaps)
    return [_reason(gap, refused) for gap in gaps]


def _refusals(vehicle_id: int, gaps: Sequence[Gap]) -> list[tuple[int, str]]:
    rows = (
        QuarantinedFrame.objects.filter(
            device_id__in=devices_of(vehicle_id=vehicle_id),
            received_at__gte=from_us(gaps[0].start),
            received_at__lt=from_us(max(gap.end for gap in gaps)),
        )
        .order_by("received_at")
        .values_list("received_at", "code")[:MOST_REFUSALS]
    )
    return [(to_us(at), code) for at, code in rows]


def _reason(gap: Gap, refused: list[tuple[int, str]]) -> str:
    codes = Counter(code for at, code in refused if gap.start <= at < gap.end)
    if codes:
        (code, _most), total = codes.most_common(1)[0], codes.total()
        return ngettext(
            "%(n)d reading was refused: %(why)s", "%(n)d readings were refused: %(why)s", total
        ) % {"n": total, "why": str(refusal_reason(code)).lower()}
    if gap.was_moving:
        return _("went silent while moving: no coverage, or no power")
    if gap.ignition is False:
        return _("parked with the ignition off: the device may be asleep")
    if gap.was_moving is False:
        return _("standing: asleep, or no coverage")
    return _("no readings")


def events(vehicle: Vehicle, journey: Journey, why: Sequence[str]) -> list[Event]:
    """Newest first; what other apps have to tell by `TELEMETRY_TIMELINE_SOURCES` among them."""
    vehicle_id = vehicle.pk
    found = [event for charge in journey.charges for event in _charging(charge)]
    found += [_silence(gap, text) for gap, text in zip(journey.gaps, why, strict=True)]
    found += [_lateness(span) for span in journey.late]
    longest = sorted(journey.stops, key=lambda stop: stop.length, reverse=True)
    found += [_stop(stop) for stop in longest[:MOST_REMARKS]]
    if journey.invalid:
        found += _invalid(vehicle_id, journey)
    if journey.alarms:
        found += _alarms(vehicle_id, journey)
    for source in settings.TELEMETRY_TIMELINE_SOURCES:
        found += import_string(source)(vehicle, from_us(journey.start), from_us(journey.end))
    return sorted(found, key=lambda event: event.time, reverse=True)


def _charging(charge: Charge) -> list[Event]:
    if charge.end is not None and charge.end - charge.start < SHORT_CHARGE_US:
        return []
    begun = [_("Charging started")]
    if charge.soc is not None:
        begun.append(f"{charge.soc:.0f} %")
    found = [Event(from_us(charge.start), " · ".join(begun))]
    if charge.end is not None:
        ended = [_("Charging ended")]
        if charge.kwh_millionths:
            ended.append(_("%(kwh).1f kWh DC") % {"kwh": charge.kwh_millionths / 1e6})
        if charge.soc_end is not None:
            ended.append(f"{charge.soc_end:.0f} %")
        found.append(Event(from_us(charge.end), " · ".join(ended)))
    return found


def _silence(gap: Gap, why: str) -> Event:
    text = _("Silent for %(time)s: %(why)s") % {"time": long_words(gap.end - gap.start), "why": why}
    return Event(from_us(gap.start), text, _("Gap"), Tone.PLAIN)


def _stop(stop: Stop) -> Event:
    words = _("Stood for at least %(time)s") if stop.is_cut else _("Stood for %(time)s")
    return Event(from_us(stop.start), words % {"time": long_words(stop.length)}, _("Stop"))


def _lateness(span: Span) -> Event:
    text = ngettext(
        "%(n)d reading arrived up to %(lag)s late, history corrected",
        "%(n)d readings arrived up to %(lag)s late, history corrected",
        span.count,
    ) % {"n": span.count, "lag": long_words(span.most)}
    return Event(from_us(span.start), text, _("Late"), Tone.LATE)


def long_words(time_us: int) -> str:
    """A length of time in whole units."""
    minutes = max(round(time_us / 60_000_000), 1)
    if minutes < 120:
        return _("%(n)d min") % {"n": minutes}
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return _("%(h)d h %(min)d min") % {"h": hours, "min": rest}
    return _("%(n)d days") % {"n": round(hours / 24)}


def _remarked(vehicle_id: int, journey: Journey, column: str) -> list[tuple[datetime, list[str]]]:
    rows = (
        VehicleReadingRow.objects.filter(
            vehicle_id=vehicle_id, time__gte=from_us(journey.start), time__lt=from_us(journey.end)
        )
        .exclude(**{f"{column}__isnull": True})
        .order_by("-time")
        .values_list("time", column)[:MOST_REMARKS]
    )
    return [(time, names) for time, names in rows if names]


def _alarms(vehicle_id: int, journey: Journey) -> list[Event]:
    return [
        Event(
            time,
            ", ".join(name.replace("_", " ") for name in names).capitalize(),
            _("Alarm"),
            Tone.WARNING,
        )
        for time, names in _remarked(vehicle_id, journey, "alarms")
    ]


def _invalid(vehicle_id: int, journey: Journey) -> list[Event]:
    named = _remarked(vehicle_id, journey, "invalid")
    found = []
    for span in journey.invalid:
        inside = [names for time, names in named if span.start <= to_us(time) <= span.end]
        fields = sorted({name for names in inside for name in names})
        text = ngettext(
            "%(n)d reading with invalid values", "%(n)d readings with invalid values", span.count
        ) % {"n": span.count}
        if fields:
            text += f": {', '.join(fields)}"
        found.append(Event(from_us(span.start), text, _("Invalid"), Tone.WARNING))
    return found
