"""The schema of a rule's `params`, one form a kind, as OpenAPI 3.0 writes it."""

from __future__ import annotations

from typing import Any

import msgspec

from alerts.kinds import KINDS
from alerts.kinds.kind import Kind

_NOTHING: tuple[tuple[str, Any], ...] = (("default", None), ("required", []))
"""What says nothing, and is not allowed to be said."""
IDS = {"type": "array", "items": {"type": "string"}, "maxItems": 200}
"""What the API calls geofences by, in place of our own numbers."""


def params_schema() -> dict[str, Any]:
    """Any of the kinds' forms; which one, `kind` says."""
    return {"anyOf": [_form_of(kind) for kind in KINDS.values()]}


def _form_of(kind: Kind) -> dict[str, Any]:
    schema = msgspec.json.schema(kind.params)
    form: dict[str, Any] = _plain(schema, schema["$defs"])
    if "geofences" in form["properties"]:
        form["properties"]["geofences"] = IDS
    return form | {"title": kind.key}


def _plain(schema: Any, definitions: dict[str, Any]) -> Any:
    """Without references, null types and exclusive bounds that are numbers."""
    if isinstance(schema, list):
        return [_plain(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _plain(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    made = {
        name: _plain(value, definitions)
        for name, value in schema.items()
        if name not in ("$defs", "title")
    }
    others = [each for each in made.get("anyOf", ()) if each != {"type": "null"}]
    if len(others) != len(made.get("anyOf", ())):
        del made["anyOf"]
        made |= others[0] if len(others) == 1 else {"anyOf": others}
        made["nullable"] = True
    if "exclusiveMinimum" in made:
        made |= {"minimum": made["exclusiveMinimum"], "exclusiveMinimum": True}
    if "enum" in made:
        made["type"] = "string"
    if "description" in made:
        made["description"] = " ".join(made["description"].split())
    return {name: value for name, value in made.items() if (name, value) not in _NOTHING}
