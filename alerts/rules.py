"""Changes to rules. Every one makes a version, is audited, and is told to the evaluations."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from alerts.engine.spec import InvalidRule, RuleSpec, decode_spec, encode_spec
from alerts.kinds import KINDS
from alerts.life import resolve_all_of
from alerts.models import Channel, Rule, RuleVersion
from alerts.rulebook import announce_change
from fleet.geofences import Geofence
from fleet.models import Fleet, Meter, Vehicle
from tenants.actors import Actor
from tenants.audit import record
from tenants.conflicts import refusing
from tenants.errors import DomainError
from tenants.models import Organisation

PLATFORM = "platform"
"""Short name of the organisation of the platform's own staff."""

MAX_RULES = 500
"""Of an organisation: every reading is judged by all that watch its vehicle."""


def checked_spec(
    tenant: Organisation, definition: dict[str, Any], *, as_trial: bool = False
) -> RuleSpec:
    """The definition, if it makes sense and refers only to what is the tenant's own.
    A trial on history may bring the shape of a geofence that is not saved yet.

    Raises DomainError `invalid_rule` (422).
    """
    try:
        spec = decode_spec(definition)
        kind = KINDS.get(spec.kind)
        if kind is None:
            raise InvalidRule(f"There is no kind of rule named {spec.kind!r}.")
        kind.check(spec)
        if spec.subject not in kind.subjects:
            raise InvalidRule(f"{kind.label} is not for {'meters' if spec.subject == 'm' else ''}.")
        if kind.for_staff and tenant.slug != PLATFORM:
            raise InvalidRule("This kind is for the platform's own staff.")
        if "shape" in spec.params and not as_trial:
            raise InvalidRule("Save the geofence first: a rule refers to it by its id.")
        _check_references(tenant, spec)
    except InvalidRule as error:
        raise DomainError("invalid_rule", 422, str(error)) from error
    return spec


def _check_references(tenant: Organisation, spec: RuleSpec) -> None:
    subjects = Vehicle if spec.subject == "v" else Meter
    wanted: list[tuple[Any, set[int], str]] = [
        (Fleet, set(spec.scope.fleets), "fleet"),
        (subjects, set(spec.scope.subjects), "vehicle or meter"),
        (Channel, {pk for step in spec.steps for pk in step.channels}, "channel"),
        (Geofence, set(spec.params.get("geofences", ())), "geofence"),
    ]
    for model, ids, noun in wanted:
        if ids and model.objects.for_tenant(tenant).filter(pk__in=ids).count() != len(ids):
            raise InvalidRule(f"The rule refers to a {noun} that does not exist.")


_NAME_TAKEN = DomainError("name_taken", 409, "Another rule has this name.")


@transaction.atomic
def create_rule(
    *, actor: Actor, name: str, definition: dict[str, Any], enabled: bool = True
) -> Rule:
    """A new rule at version 1."""
    spec = checked_spec(actor.tenant, definition)
    if Rule.objects.for_tenant(actor.tenant).filter(archived_at=None).count() >= MAX_RULES:
        raise DomainError("too_many_rules", 409, f"There are {MAX_RULES} rules already.")
    with refusing({"rule_name_once_per_tenant": _NAME_TAKEN}):
        rule = Rule.objects.create(tenant=actor.tenant, name=name, enabled=enabled)
    _new_version(rule, spec, actor.label)
    record(actor, "rule.created", f"rule {name}", changes={"definition": (None, definition)})
    transaction.on_commit(announce_change)
    return rule


@transaction.atomic
def update_rule(
    *,
    actor: Actor,
    rule: Rule,
    name: str | None = None,
    enabled: bool | None = None,
    definition: dict[str, Any] | None = None,
) -> Rule:
    """Rename, switch on or off, or say something else: that makes a new version."""
    rule = (
        Rule.objects.for_tenant(actor.tenant)
        .select_for_update(of=("self",))
        .select_related("current")
        .get(pk=rule.pk)
    )
    changes: dict[str, tuple[Any, Any]] = {}
    if name is not None and name != rule.name:
        changes["name"] = (rule.name, name)
        rule.name = name
    if enabled is not None and enabled != rule.enabled:
        changes["enabled"] = (rule.enabled, enabled)
        rule.enabled, rule.disabled_reason = enabled, ""
        if not enabled:
            resolve_all_of(rule, actor=actor, note="The rule was switched off.")
    with refusing({"rule_name_once_per_tenant": _NAME_TAKEN}):
        rule.save(update_fields=["name", "enabled", "disabled_reason"])
    if definition is not None:
        spec = checked_spec(actor.tenant, definition)
        before = rule.current.definition if rule.current else None
        after = encode_spec(spec)
        if after != before:
            changes["definition"] = (before, after)
            _new_version(rule, spec, actor.label)
    if changes:
        record(actor, "rule.updated", f"rule {rule.name}", changes=changes)
        transaction.on_commit(announce_change)
    return rule


@transaction.atomic
def archive_rule(*, actor: Actor, rule: Rule) -> None:
    """Take a rule away; its alerts resolve and stay on record."""
    if rule.archived_at is not None:
        return
    rule.archived_at = timezone.now()
    rule.save(update_fields=["archived_at"])
    resolve_all_of(rule, actor=actor, note="The rule was removed.")
    record(actor, "rule.archived", f"rule {rule.name}")
    transaction.on_commit(announce_change)


def disable_failed(*, rule_id: int, reason: str) -> None:
    """Switch a rule off that cannot be evaluated. The others go on."""
    Rule.unscoped.filter(pk=rule_id, enabled=True).update(
        enabled=False, disabled_reason=reason[:300]
    )
    transaction.on_commit(announce_change)


def _new_version(rule: Rule, spec: RuleSpec, by: str) -> None:
    number = rule.versions.count() + 1
    rule.current = RuleVersion.objects.create(
        tenant_id=rule.tenant_id,
        rule=rule,
        number=number,
        kind=spec.kind,
        definition=encode_spec(spec),
        created_by=by,
    )
    rule.save(update_fields=["current"])
