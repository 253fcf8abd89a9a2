"""Rules and what the engine remembers; alerts and their life; who is told, and whether."""

from alerts.models.alerts import Alert, AlertState, AlertTransition, Severity
from alerts.models.notifications import (
    Channel,
    ChannelKind,
    Delivery,
    DeliveryAttempt,
    DeliveryEvent,
    DeliveryStatus,
)
from alerts.models.rules import (
    DryRun,
    EvaluationOwner,
    LateSpan,
    Rule,
    RuleVersion,
    SilenceWatch,
    SubjectMemory,
)

__all__ = [
    "Alert",
    "AlertState",
    "AlertTransition",
    "Channel",
    "ChannelKind",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryEvent",
    "DeliveryStatus",
    "DryRun",
    "EvaluationOwner",
    "LateSpan",
    "Rule",
    "RuleVersion",
    "Severity",
    "SilenceWatch",
    "SubjectMemory",
]
