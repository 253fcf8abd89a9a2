"""The audit trail in words: actions, kinds of things and fields as people know them.

The trail itself keeps codes, which outlive every wording. What has no words here is shown
with its code turned into something legible, and a test finds it.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tenants.models import Role

Words = str | Promise

ACTIONS: Final[dict[str, Words]] = {
    "fleet.created": _("Fleet added"),
    "fleet.updated": _("Fleet changed"),
    "fleet.archived": _("Fleet archived"),
    "fleet.restored": _("Fleet restored"),
    "vehicle.created": _("Vehicle added"),
    "vehicle.updated": _("Vehicle changed"),
    "vehicle.archived": _("Vehicle archived"),
    "vehicle.restored": _("Vehicle restored"),
    "vehicle.vin_set": _("VIN entered"),
    "vehicle.vin_forgotten": _("VIN forgotten"),
    "vehicle.vin_revealed": _("VIN revealed"),
    "meter.created": _("Meter added"),
    "meter.updated": _("Meter changed"),
    "meter.archived": _("Meter archived"),
    "meter.restored": _("Meter restored"),
    "meter.mapped": _("Meter assigned to a vehicle"),
    "meter.mapping_ended": _("End of an assignment set"),
    "meter.unmapped": _("Assignment of a meter deleted"),
    "device.created": _("Device added"),
    "device.updated": _("Device changed"),
    "device.archived": _("Device archived"),
    "device.restored": _("Device restored"),
    "device.credential_rotated": _("New credential issued"),
    "device.credential_revoked": _("Device shut out"),
    "geofence.created": _("Geofence added"),
    "geofence.updated": _("Geofence changed"),
    "geofence.archived": _("Geofence archived"),
    "rule.created": _("Alert rule added"),
    "rule.updated": _("Alert rule changed"),
    "rule.archived": _("Alert rule archived"),
    "rule.restored": _("Alert rule restored"),
    "channel.created": _("Channel added"),
    "channel.updated": _("Channel changed"),
    "channel.archived": _("Channel archived"),
    "channel.restored": _("Channel restored"),
    "channel.secret_rotated": _("New secret of a channel"),
    "channel.tested": _("Channel tested"),
    "delivery.resent": _("Delivery sent again"),
    "organisation.created": _("Organisation created"),
    "organisation.updated": _("Organisation changed"),
    "organisation.archived": _("Organisation archived"),
    "organisation.restored": _("Organisation restored"),
    "member.added": _("Member added"),
    "member.invited": _("Member invited"),
    "member.invitation_renewed": _("Invitation sent again"),
    "member.invitation_withdrawn": _("Invitation withdrawn"),
    "member.joined": _("Invitation accepted"),
    "member.role_changed": _("Role changed"),
    "member.removed": _("Member removed"),
    "token.issued": _("API token issued"),
    "token.revoked": _("API token revoked"),
    "support.access_granted": _("Support was let in"),
    "support.access_ended": _("Support's access ended"),
    "user.created": _("Person added by staff"),
    "user.updated": _("Person changed by staff"),
    "user.second_factor_removed": _("Second factor removed by staff"),
    "quarantine.replayed": _("Refused frames replayed"),
    "view.shared": _("Sharing of a saved view changed"),
    "view.changed": _("Saved view changed"),
    "view.deleted": _("Saved view deleted"),
    "demo.things_added": _("Demonstration fleet added"),
}

KINDS: Final[dict[str, Words]] = {
    "fleet": _("Fleet"),
    "vehicle": _("Vehicle"),
    "meter": _("Meter"),
    "device": _("Device"),
    "geofence": _("Geofence"),
    "rule": _("Rule"),
    "channel": _("Channel"),
    "delivery": _("Delivery"),
    "organisation": _("Organisation"),
    "member": _("Member"),
    "token": _("Token"),
    "view": _("View"),
    "user": _("Person"),
}

FIELDS: Final[dict[str, Words]] = {
    "reference": _("Id"),
    "name": _("Name"),
    "fleet": _("Fleet"),
    "vehicle": _("Vehicle"),
    "meter": _("Meter"),
    "plate": _("Plate"),
    "tags": _("Tags"),
    "protocol": _("Protocol"),
    "silent_after_s": _("Silent after, seconds"),
    "battery_capacity_kwh": _("Battery capacity, kWh"),
    "shape": _("Shape"),
    "definition": _("Definition"),
    "enabled": _("Switched on"),
    "severity": _("Severity"),
    "kind": _("Kind"),
    "address": _("Address"),
    "role": _("Role"),
    "owner": _("Owner"),
    "scopes": _("May"),
    "expires_at": _("Expires"),
    "archived_at": _("Archived"),
    "time_zone": _("Time zone"),
    "units": _("Units"),
    "retention_days": _("Days of history kept"),
    "from": _("From"),
    "to": _("To"),
    "query": _("What it shows"),
    "shared": _("Shared"),
    "email": _("E-mail"),
    "first_name": _("First name"),
    "last_name": _("Last name"),
    "type": _("Type"),
    "accepted": _("Accepted"),
}

_VALUES: Final[dict[str, dict[str, Words]]] = {
    "role": dict(Role.choices),
    "units": {"metric": _("metric"), "imperial": _("imperial")},
}


def action_in_words(code: str) -> Words:
    """What was done."""
    return ACTIONS.get(code) or code.replace(".", " ").replace("_", " ").capitalize()


def target_in_words(target: str) -> str:
    """On what: `vehicle V456` with its kind in the reader's language."""
    kind, _space, name = target.partition(" ")
    return f"{KINDS[kind]} {name}" if kind in KINDS and name else target


def field_in_words(name: str) -> Words:
    return FIELDS.get(name) or name.replace("_", " ").capitalize()


def value_in_words(field: str, value: Any) -> Any:
    """A moment stays one, for whoever shows it in a zone; nothing is the empty text."""
    if value is None or value in ("", []):
        return ""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, str):
        return _VALUES.get(field, {}).get(value) or _moment(value) or value
    if isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        return ", ".join(map(str, value))
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, indent=1)
    return value


def codes_that_say(wanted: str) -> list[str]:
    """The actions whose words, in the reader's language, hold this text."""
    wanted = wanted.casefold()
    return [code for code, words in ACTIONS.items() if wanted in str(words).casefold()]


def _moment(text: str) -> datetime | None:
    if len(text) < len("2026-11-21") or text[4] != "-":
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    # Anything may be called like a moment; one at an end of the calendar is in no other zone.
    return found if found.tzinfo and 1970 <= found.year < 9999 else None
