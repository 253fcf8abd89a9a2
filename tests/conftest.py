"""What every test shares: the test database, whichever way a test asks for it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import override_settings, setup_databases, teardown_databases
from pytest_django.plugin import DjangoDbBlocker


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
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={"default": None})
    yield
    with django_db_blocker.unblock():
        try:
            teardown_databases(made, verbosity=0)
        except Exception as error:
            # TimescaleDB's workers may still hold it; the next run makes it anew.
            warnings.warn(f"the test database stays: {error}", stacklevel=1)


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
    tables = ", ".join(model._meta.db_table for room in rooms for model in room.get_models())

    def truncate() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {tables}")
        # Organisations stay, in the audit trail. What one asked for is not for the next test.
        Organisation.objects.exclude(retention_days=None).update(retention_days=None)

    with django_db_blocker.unblock():
        truncate()
        yield truncate
        truncate()
