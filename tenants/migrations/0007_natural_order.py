from django.contrib.postgres.operations import CreateCollation
from django.db import migrations

from tenants.collation import NATURAL, NATURAL_LOCALE


class Migration(migrations.Migration):
    """The order of names; what has a name follows in its own app."""

    dependencies = [("tenants", "0006_live_seen_and_left")]

    operations = [CreateCollation(NATURAL, NATURAL_LOCALE, provider="icu")]
