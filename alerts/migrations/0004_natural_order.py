from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0003_live_resolved_index"),
        ("tenants", "0007_natural_order"),
    ]

    operations = [
        migrations.AlterField(
            model_name="channel",
            name="name",
            field=models.CharField(db_collation="natural", max_length=120),
        ),
        migrations.AlterField(
            model_name="rule",
            name="name",
            field=models.CharField(db_collation="natural", max_length=120),
        ),
    ]
