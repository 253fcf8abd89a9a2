import pytest
from django.db import connections

from tests.telemetry.platform import running_platform


@pytest.fixture(scope="module")
def platform(django_db_setup):
    """One platform for all tests of a module, with an organisation called drives."""
    with running_platform() as running:
        made = running.manage(
            "shell",
            "-c",
            "from tenants.models import User; from tenants import services;"
            "services.create_organisation(name='Drives', slug='drives',"
            " owner=User.objects.create_user('owner@drives.example'))",
        )
        assert made.returncode == 0, made.stderr
        yield running
    connections.close_all()
