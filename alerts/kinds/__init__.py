"""The kinds of rules: one file each, one page in docs/rules each."""

from alerts.kinds import (
    device_alarm,
    geofence,
    ingest_lag,
    rate_of_change,
    silence,
    threshold,
)
from alerts.kinds.kind import Kind

KINDS: dict[str, Kind] = {
    kind.key: kind
    for kind in (
        threshold.KIND,
        silence.KIND,
        rate_of_change.KIND,
        geofence.KIND,
        device_alarm.KIND,
        ingest_lag.KIND,
    )
}

CHOICES = [(kind.key, kind.label) for kind in KINDS.values()]
