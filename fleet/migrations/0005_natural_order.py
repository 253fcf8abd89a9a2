from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("fleet", "0004_search"),
        ("tenants", "0007_natural_order"),
    ]

    operations = [
        migrations.AlterField(
            model_name="device",
            name="name",
            field=models.CharField(db_collation="natural", max_length=120),
        ),
        migrations.AlterField(
            model_name="fleet",
            name="name",
            field=models.CharField(db_collation="natural", max_length=120),
        ),
        migrations.AlterField(
            model_name="geofence",
            name="name",
            field=models.CharField(db_collation="natural", max_length=120),
        ),
        migrations.AlterField(
            model_name="meter",
            name="name",
            field=models.CharField(db_collation="natural", max_length=120),
        ),
        migrations.AlterField(
            model_name="vehicle",
            name="name",
            field=models.CharField(db_collation="natural", max_length=120),
        ),
    ]
