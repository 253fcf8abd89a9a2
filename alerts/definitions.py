"""A rule's definition as customers write it: their own ids in place of ours."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from alerts.models import Channel
from fleet.geofences import Geofence
from fleet.models import Fleet, Meter, Vehicle
from tenants.errors import DomainError
from tenants.models import Organisation

Json = dict[str, Any]


class References:
    """Translates between ids and the organisation's references; one query for each model."""

    def __init__(self, tenant: Organisation) -> None:
        self.tenant = tenant
        self._known: dict[type[Any], dict[int, str]] = {}

    def _names(self, model: type[Any]) -> dict[int, str]:
        if model not in self._known:
            name = "public_id" if model is Channel else "reference"
            rows = model.objects.for_tenant(self.tenant).values_list("pk", name)
            self._known[model] = {pk: str(value) for pk, value in rows}
        return self._known[model]

    @cached_property
    def fence_names(self) -> dict[int, str]:
        """What geofences are called, those removed too."""
        return dict(Geofence.objects.for_tenant(self.tenant).values_list("pk", "name"))

    def outward(self, model: type[Any], ids: list[int]) -> list[str]:
        """Those that are gone are left out."""
        names = self._names(model)
        return [names[pk] for pk in ids if pk in names]

    def inward(self, model: type[Any], references: Any, field: str) -> list[int]:
        """Raises DomainError `invalid_rule` for what is not the organisation's."""
        if not isinstance(references, list | tuple):
            raise DomainError("invalid_rule", 422, f"{field} is a list of ids.", field=field)
        ids = {name: pk for pk, name in self._names(model).items()}
        found = []
        for reference in references:
            if not isinstance(reference, str) or reference not in ids:
                detail = f"There is no {str(reference)[:64]!r} in your organisation."
                raise DomainError("invalid_rule", 422, detail, field=field)
            found.append(ids[reference])
        return found


def outward(definition: Json, references: References) -> Json:
    """As the API and the editor show it."""
    shown = dict(definition)
    scope = definition.get("scope", {})
    subjects = Vehicle if definition.get("subject", "v") == "v" else Meter
    noun = "vehicles" if subjects is Vehicle else "meters"
    shown["subject"] = "vehicle" if subjects is Vehicle else "meter"
    shown["scope"] = {
        "fleets": references.outward(Fleet, scope.get("fleets", [])),
        noun: references.outward(subjects, scope.get("subjects", [])),
        "tags": list(scope.get("tags", [])),
    }
    shown["steps"] = [
        {
            "channels": references.outward(Channel, step.get("channels", [])),
            "after_minutes": step.get("after_minutes", 0),
        }
        for step in definition.get("steps", [])
    ]
    params = dict(definition.get("params", {}))
    if "geofences" in params:
        params["geofences"] = references.outward(Geofence, params["geofences"])
    shown["params"] = params
    return shown


def inward(shown: Json, references: References) -> Json:
    """As it is kept. Raises DomainError `invalid_rule`; the rest is checked with the rule."""
    definition = dict(shown)
    subject = shown.get("subject", "vehicle")
    if subject not in ("vehicle", "meter"):
        raise DomainError("invalid_rule", 422, "subject is vehicle or meter.", field="subject")
    subjects, noun = (Vehicle, "vehicles") if subject == "vehicle" else (Meter, "meters")
    definition["subject"] = "v" if subject == "vehicle" else "m"
    if "scope" in shown:
        scope = _object(shown["scope"], "scope", {"fleets", noun, "tags"})
        definition["scope"] = {
            "fleets": references.inward(Fleet, scope.get("fleets", []), "scope.fleets"),
            "subjects": references.inward(subjects, scope.get(noun, []), f"scope.{noun}"),
            "tags": scope.get("tags", []),
        }
    if "steps" in shown:
        if not isinstance(shown["steps"], list):
            raise DomainError("invalid_rule", 422, "steps is a list.", field="steps")
        definition["steps"] = []
        for step in shown["steps"]:
            step = _object(step, "steps", {"channels", "after_minutes"})
            channels = references.inward(Channel, step.get("channels", []), "steps.channels")
            definition["steps"].append({**step, "channels": channels})
    params = shown.get("params")
    if isinstance(params, dict) and "geofences" in params:
        fences = references.inward(Geofence, params["geofences"], "params.geofences")
        definition["params"] = {**params, "geofences": fences}
    return definition


def _object(value: Any, field: str, known: set[str]) -> Json:
    if not isinstance(value, dict) or not value.keys() <= known:
        detail = f"{field} has {', '.join(sorted(known))} and nothing else."
        raise DomainError("invalid_rule", 422, detail, field=field)
    return value
