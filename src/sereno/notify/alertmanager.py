"""Incidents as alerts of a Prometheus Alertmanager, which then groups, routes and silences them its way."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from sereno.contracts.notification import Answer, Message
from sereno.domain.time import isoformat, parse_duration, system_clock
from sereno.notify.answers import answer_of
from sereno.notify.facts import incidents_of
from sereno.notify.http import HttpOptions, Request, check_url, exchange
from sereno.notify.payload import encode
from sereno.notify.webhook import Headers
from sereno.notify.wording import instant_of

__all__ = ["AlertmanagerSender"]

Fact = Mapping[str, object]

_PATH = "/api/v2/alerts"
_NAME = "SerenoIncident"
_INTERVALS = 5
"""Times that an alert may fail to be posted again before it ends (Prometheus: 4)."""
_NOTICE = timedelta(minutes=5)
"""How long an alert lasts that tells no incident."""
_OVER = frozenset({"resolved", "cleared", "withdrawn", "closed"})
_SEVERITIES = ("low", "medium", "high", "critical")


class AlertmanagerSender(HttpOptions):
    """Posts alerts to `/api/v2/alerts`.

    An incident keeps its labels for life, so that Alertmanager knows it again; that it is over is said by
    `endsAt`. An Alertmanager keeps no alerts, its clients do: what goes on is posted again and again. The
    severity is an annotation: as a label it would make another alert whenever it rises.
    """

    url: Annotated[SecretStr, AfterValidator(check_url)] = Field(description="Address of the Alertmanager.")
    headers: Headers = Field(default_factory=dict, description="Further headers, such as Authorization.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels that every alert gets.")
    severity_label: bool = Field(
        default=False,
        description="Whether `severity` is a label too; the alerts of other severities then end.",
    )
    resend_every: Annotated[
        timedelta,
        BeforeValidator(parse_duration),
        Field(ge=timedelta(seconds=1), le=timedelta(hours=1)),
    ] = Field(
        default=timedelta(minutes=2),
        description="How often what goes on is posted again: an Alertmanager that restarts has forgotten it.",
    )
    holds: Annotated[timedelta, BeforeValidator(parse_duration), Field(gt=timedelta(0))] | None = Field(
        default=None,
        description="How long an alert lasts that is not posted again; five times `resend_every` if unsaid.",
    )

    @model_validator(mode="after")
    def _lasting(self) -> Self:
        if self._holds <= self.resend_every:
            raise ValueError(
                "an alert that does not last until it is posted again ends in between: see `holds`"
            )
        return self

    def send(self, message: Message) -> Answer:
        """Post the alerts of a message once."""
        return self._post(self._alerts(message))

    def send_standing(self, messages: Sequence[Message]) -> Answer:
        """Post the alerts of messages that were told before once again, all together."""
        return self._post([alert for message in messages for alert in self._alerts(message)])

    @property
    def _holds(self) -> timedelta:
        return self.holds or _INTERVALS * self.resend_every

    def _post(self, alerts: list[dict[str, object]]) -> Answer:
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        headers["Content-Type"] = "application/json"
        url = self.url.get_secret_value().rstrip("/").removesuffix(_PATH) + _PATH
        reply = exchange(Request("POST", url, headers, encode(alerts)), self)
        hidden = (self.url, *self.headers.values())
        return reply if isinstance(reply, Answer) else answer_of(reply, hidden, now=system_clock())

    def _alerts(self, message: Message) -> list[dict[str, object]]:
        incidents = incidents_of(message)
        if not incidents:
            return [self._notice(message)]
        return [alert for one in incidents for alert in self._of_incident(one, message)]

    def _of_incident(self, incident: Fact, message: Message) -> list[dict[str, object]]:
        told = self._alert(incident, message)
        if not self.severity_label:
            return [told]
        others = [name for name in _SEVERITIES if name != incident.get("severity")]
        ended = {**told, "endsAt": max(str(told["startsAt"]), str(isoformat(message.at)))}
        labels: Fact = told["labels"] if isinstance(told["labels"], Mapping) else {}
        return [told, *({**ended, "labels": {**labels, "severity": name}} for name in others)]

    def _alert(self, incident: Fact, message: Message) -> dict[str, object]:
        suffix = "_es" if message.language == "es" else ""
        starts = instant_of(incident.get("started_at")) or message.at
        labels = {
            "alertname": _NAME,
            "incident": incident.get("id"),
            **{name: incident.get(name) for name in ("site", "asset", "kind")},
            **({"severity": incident.get("severity")} if self.severity_label else {}),
        }
        annotations = {
            "summary": message.subject
            if len(incidents_of(message)) == 1
            else incident.get(f"sentence{suffix}"),
            "description": incident.get(f"sentence{suffix}"),
            "recommendation": incident.get(f"recommendation{suffix}"),
            **{name: incident.get(name) for name in ("severity", "cause", "cost", "currency")},
        }
        link = str(message.facts.get("console_url") or "").rstrip("/")
        return _alert_of(
            self.labels | _texts(labels),
            _texts(annotations),
            starts,
            self._end(incident, message, starts),
            f"{link}/incidents/{incident.get('id')}" if link else "",
        )

    def _end(self, incident: Fact, message: Message, starts: datetime) -> datetime:
        ended = instant_of(incident.get("ended_at"))
        if ended is None:
            ended = message.at if message.event in _OVER else system_clock() + self._holds
        return max(starts, ended)

    def _notice(self, message: Message) -> dict[str, object]:
        labels = {"alertname": f"Sereno{message.event.title().replace('_', '')}"}
        annotations = {"summary": message.subject, "description": message.text}
        return _alert_of(self.labels | labels, annotations, message.at, system_clock() + _NOTICE, "")


def _alert_of(
    labels: dict[str, str], annotations: dict[str, str], starts: datetime, ends: datetime, link: str
) -> dict[str, object]:
    alert: dict[str, object] = {
        "labels": labels,
        "annotations": annotations,
        "startsAt": isoformat(starts),
        "endsAt": isoformat(ends),
    }
    return {**alert, "generatorURL": link} if link else alert


def _texts(values: Fact) -> dict[str, str]:
    """Labels and annotations are texts; an empty one is none."""
    return {name: str(value) for name, value in values.items() if value not in (None, "")}
