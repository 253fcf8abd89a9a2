from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("telemetry", "0004_live_saved_views"),
        ("tenants", "0007_natural_order"),
    ]

    operations = [
        migrations.AlterField(
            model_name="savedview",
            name="name",
            field=models.CharField(db_collation="natural", max_length=80),
        ),
    ]
