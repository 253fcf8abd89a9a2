from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """What was resolved since a moment is found without going through all there ever was."""

    dependencies = [("alerts", "0002_alerts_late_spans")]

    operations = [
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=Q(state="resolved"),
                fields=["tenant", "-resolved_at"],
                name="alert_resolved",
            ),
        ),
    ]
