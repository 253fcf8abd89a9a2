"""Readings and programs for the tests of the engine. Times are seconds."""

from typing import Any

from alerts.engine.program import Program, compile_program
from alerts.engine.sensor import Surroundings
from alerts.engine.spec import RuleSpec, decode_spec
from alerts.kinds import KINDS
from telemetry.records import MeterReading, VehicleReading

START = 1_770_000_000


def reading(at: float, *, arrives: float | None = None, rid: int = 0, **values: Any):
    time = round((START + at) * 1_000_000)
    received = time + 50_000 if arrives is None else round((START + arrives) * 1_000_000)
    return VehicleReading(
        schema=1,
        tenant_id=1,
        device_id=1,
        vehicle_id=1,
        time=time,
        received_at=received,
        reading_id=rid,
        protocol="telemetry.v1",
        **values,
    )


def meter_reading(at: float, **values: Any):
    time = round((START + at) * 1_000_000)
    return MeterReading(1, 1, 1, 1, time, time + 50_000, 0, "telemetry.v1", **values)


def rule(kind: str = "threshold", **fields: Any) -> RuleSpec:
    params = fields.pop("params", None)
    if params is None:
        condition = {
            "metric": fields.pop("metric", "speed_kmh"),
            "op": fields.pop("op", ">"),
            "value": fields.pop("value", 120),
            "clear": fields.pop("clear", None),
        }
        params = {"conditions": [condition]}
    spec = decode_spec({"kind": kind, "params": params, **fields})
    KINDS[kind].check(spec)
    return spec


def program(
    *rules: RuleSpec, geofences: dict[int, Any] | None = None, zone: str = "UTC"
) -> Program:
    return compile_program(
        rules[0].subject,
        list(enumerate(rules, start=1)),
        time_zone=zone,
        surroundings=Surroundings(geofences=geofences or {}),
    )


def seconds(microseconds: int) -> float:
    return microseconds / 1_000_000 - START
