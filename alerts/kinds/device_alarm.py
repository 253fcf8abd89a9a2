"""An alarm that the device itself raises: panic button, tow, tamper, power cut."""

from __future__ import annotations

from typing import Annotated

import msgspec

from alerts.engine.sensor import Sensor, Slots, Surroundings, Values
from alerts.engine.spec import RuleSpec
from alerts.kinds.kind import Called, Kind, params_of
from telemetry.fields import MAX_NAME_LENGTH


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No names: every alarm."""

    alarms: Annotated[
        tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_LENGTH)], ...],
        msgspec.Meta(max_length=50),
    ] = ()


def check(spec: RuleSpec) -> None:
    params_of(spec, Params)


def sense(spec: RuleSpec, slots: Slots, surroundings: Surroundings) -> Sensor:
    wanted = frozenset(params_of(spec, Params).alarms)
    place = slots.place_of("alarms")

    def judge(values: Values, is_open: bool) -> bool | None:
        # Many trackers name an alarm only while it lasts: a reading without any says it ended.
        raised = values[place]
        if not raised:
            return False
        return not wanted.isdisjoint(raised) if wanted else True

    return Sensor(judge=judge, metrics=("alarms",))


def says(spec: RuleSpec, called: Called) -> str:
    alarms = params_of(spec, Params).alarms
    return f"Alarm of the device: {', '.join(alarms)}" if alarms else "Any alarm of the device"


KIND = Kind(
    key="device_alarm",
    label="Alarm of the device",
    params=Params,
    check=check,
    says=says,
    sense=sense,
    subjects=("v",),
    # An alarm named by one reading and not by the next is one alarm, not two.
    defaults={"clear_duration_s": 60, "severity": "high"},
)
