"""An outsider is tried against every URL there is.

The routes are found by walking the URL configuration, so that a new one is covered the
day it is written: a route whose parameters this test cannot fill fails it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tenants.models import User
from tests.worlds import MARK, World, build_world

pytestmark = pytest.mark.django_db

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Route:
    template: str
    parameters: tuple[str, ...]
    callback: Callable[..., Any]


def walk(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[Route]:
    for entry in patterns:
        template = before + readable(str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from walk(entry.url_patterns, template)
        else:
            yield Route(template, tuple(re.findall(r"<(\w+)>", template)), entry.callback)


def readable(pattern: str) -> str:
    """`^x/(?P<id>[^/]+)$` and `x/<str:id>` alike as `x/<id>`."""
    pattern = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"<\1>", pattern)
    pattern = re.sub(r"<\w+:(\w+)>", r"<\1>", pattern)
    return pattern.replace("\\Z", "").replace("\\.", ".").strip("^$").replace("\\", "")


def everything() -> list[Route]:
    return list(walk(get_resolver().url_patterns))


def fill(route: Route, victim: World) -> str:
    """The route's path with the victim's own identifiers in it."""
    path = route.template
    for name in route.parameters:
        path = path.replace(f"<{name}>", value_for(name, route, victim))
    return "/" + path.replace("/?", "/").replace("?", "")


def value_for(name: str, route: Route, victim: World) -> str:
    by_model = {model.__name__: row for model, row in victim.rows.items()}
    model_admin = getattr(route.callback, "model_admin", None)
    if name == "object_id" or (name == "id" and route.template.startswith("admin/")):
        row = victim.rows.get(model_admin.model) if model_admin is not None else None
        return str(row.pk) if row is not None else "1"
    noun = next(
        (noun for noun in sorted(NOUNS, key=len, reverse=True) if noun in route.template), None
    )
    known = {
        "vehicle_id": f"{MARK}-V1",
        "meter_id": f"{MARK}-M1",
        "fleet_id": f"{MARK}-F1",
        "device_id": f"{MARK}-D1",
        "geofence_id": f"{MARK}-G1",
        "mapping_id": str(by_model["MeterMapping"].public_id),
        "user_id": str(by_model["Membership"].public_id),
        "invitation_id": str(by_model["Invitation"].public_id),
        "email": victim.owner.email,
        "prefix": str(vars(by_model["ApiToken"])["prefix"]),
        "app_label": "fleet",
        "content_type_id": "1",
        "format": "json",
        "uidb36": "1",
        "key": "set-password",
        "url": "fleet/vehicle",
        "path": "css/base.css",
        "parent_object_id": "1",
        "field": "x",
        "extra_context": "x",
    }
    if name == "public_id" and noun is not None:
        return str(NOUNS[noun](by_model, victim))
    if name in ("id", "reference", "pk", "slug", "ref") and noun is not None:
        return str(NOUNS[noun](by_model, victim))
    if name in known:
        return known[name]
    raise AssertionError(f"tell this test how to fill <{name}> of {route.template}")


NOUNS: dict[str, Callable[[dict[str, Any], World], str]] = {
    "fleets": lambda rows, _: rows["Fleet"].reference,
    "vehicles": lambda rows, _: rows["Vehicle"].reference,
    "meters": lambda rows, _: rows["Meter"].reference,
    "mappings": lambda rows, _: str(rows["MeterMapping"].pk),
    "devices": lambda rows, _: rows["Device"].reference,
    "tokens": lambda rows, _: rows["ApiToken"].prefix,
    "members": lambda rows, victim: str(victim.owner.pk),
    "alerts": lambda rows, _: rows["Alert"].public_id,
    "alerts/rules": lambda rows, _: rows["Rule"].public_id,
    "alerts/dry-runs": lambda rows, _: rows["DryRun"].public_id,
    "alerts/channels": lambda rows, _: rows["Channel"].public_id,
    "alerts/deliveries": lambda rows, _: rows["Delivery"].key,
    "alert-rules": lambda rows, _: rows["Rule"].public_id,
    "alert-rules/dry-runs": lambda rows, _: rows["DryRun"].public_id,
    "alert-channels": lambda rows, _: rows["Channel"].public_id,
    "alert-deliveries": lambda rows, _: rows["Delivery"].key,
    "geofences": lambda rows, _: rows["Geofence"].reference,
    "geofences/tried": lambda rows, _: rows["DryRun"].public_id,
    "telemetry": lambda rows, _: rows["Vehicle"].reference,
    "analytics": lambda rows, _: rows["Vehicle"].reference,
    "organisation": lambda rows, victim: victim.organisation.slug,
}


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Async views give connections back between queries; here it is the test's transaction."""
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)


@pytest.fixture
def victim() -> World:
    return build_world(MARK)


@pytest.fixture
def outsider() -> World:
    return build_world("Elsewhere")


def fingerprint(victim: World) -> str:
    """Of every row of every table that names the victim's tenant."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for model in apps.get_models():
            columns = {field.column for field in model._meta.concrete_fields}
            if "tenant_id" not in columns:
                continue
            cursor.execute(
                f"SELECT t::text FROM {connection.ops.quote_name(model._meta.db_table)} t "  # noqa: S608
                "WHERE tenant_id = %s ORDER BY 1",
                [victim.organisation.pk],
            )
            digest.update(repr((model._meta.label, cursor.fetchall())).encode())
        cursor.execute(
            "SELECT t::text FROM tenants_organisation t WHERE id = %s", [victim.organisation.pk]
        )
        digest.update(repr(cursor.fetchall()).encode())
    return digest.hexdigest()


def try_everything(
    victim: World,
    request: Callable[[str, str], Any],
    skip: set[str],
    beyond: tuple[str, ...] = (),
) -> None:
    before = fingerprint(victim)
    tried = 0
    for route in everything():
        path = fill(route, victim)
        if path in skip or path.startswith(beyond):
            continue
        for method in METHODS:
            answer = request(method, path)
            body = answer.getvalue().decode(errors="replace")
            said = f"{method.upper()} {path} answered {answer.status_code}"
            assert answer.status_code < 500, said
            # The path itself may come back ("nothing at /v1/vehicles/X"): that is no leak.
            told = body.replace(path, "")
            assert MARK not in told, (
                f"{said} and told {told[max(0, told.find(MARK) - 200) :][:400]}"
            )
            tried += 1
    assert tried > 100, "the walk found hardly any route: it is broken"
    assert fingerprint(victim) == before, "an outsider changed something"


def over_https(client: Client) -> Callable[[str, str], Any]:
    """Plain HTTP is only ever redirected: that would test nothing."""
    return lambda method, path: getattr(client, method)(path, secure=True)


# What staff without support access may see of an organisation: that it exists, and its people.
DIRECTORY = (
    "/admin/tenants/organisation/",
    "/admin/tenants/user/",
    "/admin/tenants/supportaccess/",
)

# Logging out would make the rest of the walk anonymous.
LOGOUT = {"/accounts/logout/", "/admin/logout/"}


def test_it_tells_a_stranger_nothing(victim: World) -> None:
    client = Client(raise_request_exception=False)
    try_everything(victim, over_https(client), LOGOUT)


def test_it_tells_a_member_of_another_organisation_nothing(victim: World, outsider: World) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(outsider.owner)
    try_everything(victim, over_https(client), LOGOUT)


def test_it_tells_another_organisations_token_nothing(victim: World, outsider: World) -> None:
    client = Client(
        raise_request_exception=False, headers={"authorization": f"Bearer {outsider.token}"}
    )
    try_everything(victim, over_https(client), LOGOUT)


def test_it_tells_staff_without_support_access_nothing(victim: World) -> None:
    """Beyond the directory that access is asked for from: which organisations and people exist."""
    staff = User.objects.create_user("staff@support.example", "x", is_staff=True)
    from django.contrib.auth.models import Permission

    staff.user_permissions.set(Permission.objects.all())
    client = Client(raise_request_exception=False)
    client.force_login(staff)
    try_everything(victim, over_https(client), LOGOUT, beyond=DIRECTORY)


def test_it_would_notice_a_leak(victim: World) -> None:
    """The walk itself can fail: the victim's own session does see its mark."""
    client = Client(raise_request_exception=False)
    client.force_login(victim.owner)
    with pytest.raises(AssertionError, match="and told"):
        try_everything(victim, over_https(client), LOGOUT)
