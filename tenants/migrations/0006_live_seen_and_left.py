from django.db import migrations, models


class Migration(migrations.Migration):
    """When people were here and when they left: what changed since is told from it."""

    dependencies = [("tenants", "0005_tenants_preferences")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="left_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="seen_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
