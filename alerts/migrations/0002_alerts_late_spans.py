from django.db import migrations, models
from django.db.models import F


def episodes_begin_where_alerts_do(apps, schema_editor):
    alerts = apps.get_model("alerts", "Alert")._base_manager
    alerts.filter(episode_at=None).update(episode_at=F("started_at"))


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="LateSpan",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "kind",
                        "subject_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("kind", models.CharField(max_length=1)),
                ("subject_id", models.BigIntegerField()),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                (
                    "noted_at",
                    models.DateTimeField(help_text="When the first of them was noted."),
                ),
                ("due_at", models.DateTimeField(db_index=True)),
                (
                    "additions",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Tells a correction that more has come while it was at work.",
                    ),
                ),
                (
                    "going_on",
                    models.BinaryField(
                        null=True,
                        editable=False,
                        help_text="Episodes that history shows to go on: for the evaluation to"
                        " take over.",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="alert",
            name="episode_at",
            field=models.DateTimeField(null=True, editable=False),
        ),
        migrations.RunPython(episodes_begin_where_alerts_do, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="alert",
            name="episode_at",
            field=models.DateTimeField(
                editable=False,
                help_text="Where the engine saw it begin, whatever was corrected since.",
            ),
        ),
        migrations.RemoveConstraint(model_name="alert", name="alert_episode_once"),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                fields=["rule", "kind", "subject_id", "episode_at"], name="alert_episode_once"
            ),
        ),
    ]
