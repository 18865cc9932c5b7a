"""Who is told, and what has arrived."""

from collections.abc import Sequence

from sereno.contracts.notification import Answer
from sereno.flows.delivering import DeliveryReport, Notifier
from sereno.flows.desks.desk import Desk
from sereno.flows.receivers import (
    ReceiverView,
    build_notifier,
    find_receivers,
    notifications_json,
    release,
    resend,
    send_test,
    told_of,
    with_attempts,
)
from sereno.store import NotificationQuery

__all__ = ["NotificationDesk"]


class NotificationDesk(Desk):
    """Delivers notifications and shows what became of them."""

    def told_of(self, incident_id: str) -> list[dict[str, object]]:
        """Who was told of an incident, when, in how many attempts and with which answer."""
        with self._store.read() as tx:
            return told_of(tx, tx.incident(incident_id).id)

    def notifier(self) -> Notifier | None:
        """What delivers notifications; None where the settings name no receivers.

        Raises:
            SettingsError: A receiver's kind or options are wrong.
        """
        if not self.settings.receivers:
            return None
        return build_notifier(self._setup, self._store, self.usable_model)

    def deliver_due(self) -> DeliveryReport:
        """Deliver what may leave now, once.

        Raises:
            SettingsError: A receiver's kind or options are wrong.
        """
        notifier = self.notifier()
        return DeliveryReport() if notifier is None else notifier.deliver_due()

    def receivers(self) -> list[ReceiverView]:
        """Who can be told, and how each is doing."""
        return find_receivers(self._setup, self._store)

    def send_test(self, receiver: str) -> Answer:
        """Send a test to a receiver, end to end and at once.

        Raises:
            NotFound: There is no such receiver.
        """
        return send_test(self._setup, self._store, receiver)

    def notifications(self, *, statuses: Sequence[str] = ()) -> list[dict[str, object]]:
        """The newest notifications of these statuses, or of all, with their attempts."""
        with self._store.read() as tx:
            return notifications_json(tx, statuses)

    def resend(self, ids: Sequence[int]) -> int:
        """Put notifications that were given up back into their lanes; returns how many.

        Raises:
            NotFound, UsageError: One is not there, or was not given up.
        """
        return len(resend(self._setup, self._store, ids))

    def release(self, ids: Sequence[int] = ()) -> int:
        """Let notifications that a restore has kept leave under their keys; all of them without ids.

        Returns:
            How many are queued; what a later message has told meanwhile is not.

        Raises:
            NotFound, UsageError: One is not there, or was not kept.
        """
        return release(self._setup, self._store, ids)

    def notification_page(self, query: NotificationQuery, *, limit: int) -> list[dict[str, object]]:
        """Notifications with their attempts, newest first."""
        with self._store.read() as tx:
            return with_attempts(tx, tx.find_notifications(query, limit=limit))
