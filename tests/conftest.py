"""What every test shares: the test database, whichever way a test asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import override_settings
from pytest_django.plugin import DjangoDbBlocker

from tests import databases


@pytest.fixture(scope="session", autouse=True)
def quick_settings(django_test_environment: None) -> Iterator[None]:
    """Every test's client would list all static files anew, and every person's password would
    cost what it costs a thief. Processes that tests start have the product's own settings."""
    with override_settings(
        WHITENOISE_AUTOREFRESH=True,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ):
        yield


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """pytest-django's own makes only the databases of tests marked `django_db`. A run of tests
    that commit through connections of their own would find the real one instead."""
    name = connection.creation._get_test_db_name()
    with databases.migrated(name):
        connection.close()
        connection.settings_dict["NAME"] = name
        yield
        with django_db_blocker.unblock():
            connection.close()


@pytest.fixture
def committed(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Callable[[], None]]:
    """The tables of telemetry and alerts, empty, for code that commits through connections or
    processes of its own; the function that empties them.

    Django's own way (flush) would empty the audit trail as well, which its trigger forbids.
    """
    from tenants.models import Organisation  # needs Django set up

    rooms = [apps.get_app_config(room) for room in ("telemetry", "alerts")]
    tables = [model._meta.db_table for room in rooms for model in room.get_models()]
    # Each truncated table is new files; to put those of hundreds of tests on the disk, empty
    # ones as well, has kept Redis from its own for longer than a client waits.
    filled = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})"  # noqa: S608
        for table in tables
    )

    def truncate() -> None:
        with connection.cursor() as cursor:
            cursor.execute(filled)
            if found := [table for (table,) in cursor.fetchall()]:
                cursor.execute(f"TRUNCATE {', '.join(found)} CASCADE")
        # Organisations stay, in the audit trail. What one asked for is not for the next test.
        Organisation.objects.exclude(retention_days=None).update(retention_days=None)

    with django_db_blocker.unblock():
        truncate()
        yield truncate
        truncate()
