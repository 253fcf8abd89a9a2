"""What every test shares: the test database, whichever way a test asks for it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
from django.test.utils import setup_databases, teardown_databases
from pytest_django.plugin import DjangoDbBlocker


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
