"""The OpenAPI description of `POST /v1/telemetry/ingest`, generated from the contract itself.

The view is a plain asynchronous one, which the schema generator does not see.
"""

from __future__ import annotations

from typing import Any, Final

from telemetry.adapters.http_v1 import ALIASES, MAX_ITEMS
from telemetry.fields import (
    MAX_ALARMS,
    MAX_ATTRIBUTES,
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
    METER_FIELDS,
    VEHICLE_FIELDS,
    Field,
    Kind,
)
from telemetry.validate import RefusalCode

Schema = dict[str, Any]
PATH: Final = "/v1/telemetry/ingest"

_TIME: Final[Schema] = {
    "description": "RFC 3339 with a zone, or milliseconds since 1970",
    "oneOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}],
}
_ATTRIBUTES: Final[Schema] = {
    "type": ["object", "null"],
    "description": "What has no name here: scalars by name",
    "maxProperties": MAX_ATTRIBUTES,
    "additionalProperties": {"type": ["boolean", "number", "string", "null"]},
}
_ALARMS: Final[Schema] = {
    "type": ["array", "null"],
    "maxItems": MAX_ALARMS,
    "items": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH},
}


def _value(field: Field) -> Schema:
    unit = f", {field.unit}" if field.unit else ""
    schema: Schema = {"description": f"{field.label}{unit}"}
    match field.kind:
        case Kind.NUMBER | Kind.INTEGER:
            schema["type"] = ["number" if field.kind is Kind.NUMBER else "integer", "null"]
        case Kind.ENERGY:
            schema["type"] = ["number", "string", "null"]
        case Kind.BOOLEAN:
            schema["type"] = ["boolean", "null"]
        case Kind.TEXT:
            schema |= {"type": ["string", "null"], "maxLength": MAX_TEXT_LENGTH}
    if field.low is not None:
        schema |= {"minimum": field.low, "maximum": field.high}
    return schema


def _reading(noun: str, fields: dict[str, Field], **others: Schema) -> Schema:
    properties: dict[str, Schema] = {
        f"{noun}_id": {"type": "string"},
        f"{noun}Id": {"type": "string", "description": f"The same as {noun}_id"},
        "time": _TIME,
        "timestamp": {"description": "The same as time", "oneOf": _TIME["oneOf"]},
        "schema": {"type": "integer", "const": 1},
    }
    properties |= {name: _value(field) for name, field in fields.items()}
    for alias, name in ALIASES.items():
        if name in fields:
            properties[alias] = _value(fields[name])
            properties[alias]["description"] = f"The same as {name}"
    return {
        "type": "object",
        "properties": properties | others | {"attributes": _ATTRIBUTES},
        "allOf": [
            {"oneOf": [{"required": [f"{noun}_id"]}, {"required": [f"{noun}Id"]}]},
            {"oneOf": [{"required": ["time"]}, {"required": ["timestamp"]}]},
        ],
        "additionalProperties": False,
    }


_RESULT: Final[Schema] = {
    "type": "object",
    "properties": {
        "index": {"type": "integer"},
        "status": {"type": "string", "enum": ["accepted", "duplicate", "refused"]},
        "code": {"type": "string", "enum": [str(code) for code in RefusalCode]},
        "field": {"type": "string"},
        "detail": {"type": "string"},
    },
    "required": ["index", "status"],
}
_RESULTS: Final[Schema] = {
    "type": "object",
    "properties": {
        "results": {"type": "array", "items": _RESULT},
        "accepted": {"type": "integer"},
        "duplicate": {"type": "integer"},
        "refused": {"type": "integer"},
    },
    "required": ["results", "accepted", "duplicate", "refused"],
}
_PROBLEMS: Final = {
    "400": "The body as a whole is malformed",
    "401": "Neither an API token nor a device credential",
    "403": "The token lacks the scope",
    "413": f"More than {MAX_ITEMS} readings, or too many bytes",
    "415": "A content type or coding that is not read here",
    "422": "Every reading was refused; `results` says why",
    "503": "Nothing can be made durable now: send it again after Retry-After",
}


def describe_ingest(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """A postprocessing hook of drf-spectacular: adds the path and its schemas."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["VehicleReadingIn"] = _reading("vehicle", VEHICLE_FIELDS, alarms=_ALARMS)
    schemas["MeterReadingIn"] = _reading("meter", METER_FIELDS)
    schemas["IngestResults"] = _RESULTS
    one = {
        "oneOf": [
            {"$ref": "#/components/schemas/VehicleReadingIn"},
            {"$ref": "#/components/schemas/MeterReadingIn"},
        ]
    }
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_ITEMS}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    accepted = {"schema": {"$ref": "#/components/schemas/IngestResults"}}
    result["paths"][PATH] = {
        "post": {
            "operationId": "telemetry_ingest",
            "description": (
                "Readings of vehicles and of meters, told apart by the identifier they carry: "
                "one object, an array, or newline-delimited JSON; gzip is accepted. 202 comes "
                "after the durable append.\n\nScope: `telemetry:write`, or a device credential "
                "for the device's own vehicle or meter."
            ),
            "tags": ["telemetry"],
            "security": [{"token": []}],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"oneOf": [*one["oneOf"], many]}},
                    "application/x-ndjson": {"schema": {"type": "string"}},
                },
            },
            "responses": {
                "202": {
                    "description": "Answered item by item",
                    "content": {"application/json": accepted},
                },
                **{
                    status: {"description": text, "content": problem}
                    for status, text in _PROBLEMS.items()
                },
            },
        }
    }
    return result
