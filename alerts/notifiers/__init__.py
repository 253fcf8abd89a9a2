"""Ways to tell somebody: one file each, one page in docs/notifiers each."""

from alerts.notifiers import apprise, email, webhook
from alerts.notifiers.notifier import Notifier

NOTIFIERS: dict[str, Notifier] = {
    notifier.key: notifier for notifier in (email.NOTIFIER, webhook.NOTIFIER, apprise.NOTIFIER)
}
