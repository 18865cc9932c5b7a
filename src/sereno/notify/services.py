"""The many services that Apprise knows: chats, telephones, push."""

import threading
import warnings
from datetime import timedelta
from typing import Any, Self

from pydantic import Field, PrivateAttr, SecretStr, model_validator

from sereno.contracts.notification import Answer, Message, Outcome
from sereno.notify.options import SenderOptions, Timeout, keep_quiet

__all__ = ["AppriseSender"]

_FAILURES = frozenset({"critical", "high", "dead_man"})
_OVER = frozenset({"resolved", "cleared", "opened_and_resolved", "reopened_and_resolved"})


class AppriseSender(SenderOptions):
    """Hands a message to Apprise, which says no more than whether it went well.

    Redirects are off wherever Apprise lets them be; its URLs come from the settings alone.
    """

    urls: list[SecretStr] = Field(min_length=1, max_length=20, description="Apprise URLs, such as tgram://….")
    schemes: list[str] = Field(
        default_factory=list, description="Services that are allowed, as tgram; those of `urls` when empty."
    )
    connect_timeout: Timeout = Field(default=timedelta(seconds=5), description="To open the way.")
    read_timeout: Timeout = Field(default=timedelta(seconds=20), description="For the answer of the service.")
    total_timeout: Timeout = Field(default=timedelta(minutes=1), description="For the whole attempt.")
    _services: Any = PrivateAttr()

    @model_validator(mode="after")
    def _known(self) -> Self:
        import apprise

        keep_quiet("apprise", "urllib3", "requests")
        found = apprise.Apprise(asset=_asset())
        for place, url in enumerate(self.urls):
            text = url.get_secret_value()
            scheme = text.partition("://")[0].lower()
            if self.schemes and scheme not in self.schemes:
                raise ValueError(f"urls.{place}: '{scheme}' is not one of the allowed schemes")
            if not _added(found, text):
                raise ValueError(f"urls.{place}: Apprise knows no such URL ('{scheme}://…')")
        for service in found:
            service.socket_connect_timeout = self.connect_timeout.total_seconds()
            service.socket_read_timeout = self.read_timeout.total_seconds()
            service.redirects = False
        self._services = found
        return self

    def send(self, message: Message) -> Answer:
        """Tell all the services once."""
        told: list[bool] = []
        work = threading.Thread(target=self._tell, args=(message, told), daemon=True)
        work.start()
        work.join(self.total_timeout.total_seconds())
        if not told:
            return Answer(Outcome.RETRY, "timeout", "no answer in time")
        if told[0]:
            return Answer(Outcome.ACCEPTED, "apprise", "")
        return Answer(Outcome.RETRY, "apprise", "a service did not take it; Apprise does not say why")

    def _tell(self, message: Message, told: list[bool]) -> None:
        try:
            is_taken = self._services.notify(
                title=message.subject,
                body=message.text or message.event,
                notify_type=_type_of(message),
                body_format="text",
            )
        except Exception:  # noqa: BLE001 - whatever a plug-in of Apprise throws: it is tried again
            is_taken = False
        told.append(bool(is_taken))


def _asset() -> Any:  # noqa: ANN401 - Apprise says nothing of its types
    import apprise

    asset = apprise.AppriseAsset(secure_logging=True)
    asset.app_id = asset.app_desc = "sereno"
    if hasattr(asset, "http_redirects"):
        asset.http_redirects = False
    return asset


def _added(services: Any, url: str) -> bool:  # noqa: ANN401
    """Whether Apprise knows the URL; it loads its plug-ins meanwhile, some of which warn of old Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return bool(services.add(url))


def _type_of(message: Message) -> str:
    incidents = message.facts.get("incidents")
    worst = incidents[0].get("severity") if isinstance(incidents, list) and incidents else message.event
    if message.event in _OVER:
        return "success"
    return "failure" if worst in _FAILURES else "info" if message.event in ("test", "digest") else "warning"
