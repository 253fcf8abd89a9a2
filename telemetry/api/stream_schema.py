"""The OpenAPI description of `GET /v1/telemetry/stream`, which is no view of Django's."""

from __future__ import annotations

from typing import Any, Final

from telemetry.consumers.requests import MAX_NAMES
from telemetry.consumers.stream import PATH

Schema = dict[str, Any]

_ABOUT: Final = """What is true of your vehicles and meters now, and then every change, as
server-sent events. `docs/live-protocol.md` describes the events.

    curl -N -H "Authorization: Bearer ort_…" "https://HOST/v1/telemetry/stream?fleets=F1"

Every event has an `id`. A client that was interrupted sends the last one as `Last-Event-ID`
(browsers do so by themselves) or as `after`, and is told what has changed since, instead of
everything; an id that cannot be gone on from is answered by the event `resync` and snapshots.

Scope: `telemetry:read`"""

_EVENTS: Final = (
    "Events: `snapshot` (in parts), `telemetry.update`, `alert.opened`, `alert.acknowledged`, "
    "`alert.resolved`, `alert.updated`, `alert.withdrawn`, `resumed`, `resync`, `left`, `error`; "
    "every five seconds a comment, with the `id` to go on from."
)
_PROBLEMS: Final = {
    "401": "No token and no session, or one that is not good any more",
    "403": "Scope missing, or not over HTTPS",
    "422": "The query is not valid: see `errors`",
    "429": "Over the rate limit, or too many streams at a time: see Retry-After",
    "503": "It cannot begin now: see Retry-After",
    "default": "Any other refusal",
}


def _parameter(name: str, about: str, schema: Schema, where: str = "query") -> Schema:
    return {"name": name, "in": where, "description": about, "schema": schema}


def _names(kind: str, about: str) -> Schema:
    names = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_NAMES}
    return _parameter(kind, about, names) | {"style": "form", "explode": False}


def describe_stream(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """A postprocessing hook of drf-spectacular: adds the path."""
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    text = {"type": "string"}
    result["paths"][PATH] = {
        "get": {
            "operationId": "telemetry_stream",
            "description": _ABOUT,
            "tags": ["telemetry"],
            "security": [{"token": []}, {"session": []}],
            "parameters": [
                _names("fleets", "Your own ids; default, where no vehicles are named either: all."),
                _names("vehicles", "Your own ids; beside those of the fleets that are named."),
                _parameter("alerts", "Also what happens to alerts.", {"type": "boolean"}),
                _parameter("after", "The last id that was seen.", text),
                _parameter("Last-Event-ID", "The same; counts before `after`.", text, "header"),
            ],
            "responses": {
                "200": {
                    "description": _EVENTS,
                    "content": {"text/event-stream": {"schema": text}},
                },
                **{
                    status: {"description": about, "content": problem}
                    for status, about in _PROBLEMS.items()
                },
            },
        }
    }
    return result
