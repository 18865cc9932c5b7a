"""The alert files of the first system as a receiver: what its programs read goes on being written."""

from datetime import datetime
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field

from sereno.contracts.notification import Answer, Message, Outcome
from sereno.domain.guide import SEVERITY_NAMES, guide_score
from sereno.domain.judgement import Severity
from sereno.notify.alert_files import Alert, AlertFiles, make_alert
from sereno.notify.options import Folder, SenderOptions
from sereno.notify.wording import Fact, instant_of, zone_of

__all__ = ["FilesSender"]

_SHOWN = {"generation": "Generación total", "consumption": "Consumo total", "self_consumption": "Autoconsumo"}
_WH = {"Wh": 1.0, "kWh": 1e3, "MWh": 1e6}
_DATE, _DATE_TIME = "%d.%m.%Y", "%d.%m.%Y %H:%M"
_OVER = frozenset({"resolved", "cleared", "withdrawn", "closed"})
"""Events that raise no alert: the guide knows no end of one."""
_DECIMALS = 6


class FilesSender(SenderOptions):
    """Writes `alertas_historial.json` (the last 1,000) and `alertas_criticas.json` (the critical ones)."""

    folder: Folder = Field(description="Folder of the two files; made where it is not there.")

    def send(self, message: Message) -> Answer:
        """Write the alerts of a message; those that are there already are left alone."""
        incidents = message.facts.get("incidents")
        told = [] if message.event in _OVER or not isinstance(incidents, list) else incidents
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            damaged = self._files.add_once(*(_alert(one, message.at) for one in told))
        except OSError as error:
            return Answer(Outcome.RETRY, "disk", error.strerror or type(error).__name__)
        detail = "; ".join(f"{name} was damaged and is kept as {name}.damaged" for name in damaged)
        return Answer(Outcome.ACCEPTED, "written", detail)

    @cached_property
    def _files(self) -> AlertFiles:
        return AlertFiles(Path(self.folder), is_durable=True)


def _alert(incident: Fact, at: datetime) -> Alert:
    """The alert of an incident; the same for as long as the incident is the same."""
    severity = Severity[str(incident.get("severity", "low")).upper()]
    return make_alert(
        guide_score(_ratio(incident)),
        SEVERITY_NAMES[severity],
        company=str(incident.get("site") or ""),
        data_date=_date(instant_of(incident.get("peak_at")) or at, zone_of(incident.get("timezone"))),
        energies=_energies(incident),
        elapsed_ms=None,
        now=instant_of(incident.get("opened_at")) or at,
    )


def _ratio(incident: Fact) -> float:
    score, threshold = incident.get("score"), incident.get("threshold")
    is_known = isinstance(score, int | float) and isinstance(threshold, int | float) and threshold > 0
    return score / threshold if is_known else 1.0  # type: ignore[operator]


def _date(instant: datetime, zone: str) -> str:
    local = instant.astimezone(ZoneInfo(zone))
    return local.strftime(_DATE if (local.hour, local.minute) == (0, 0) else _DATE_TIME)


def _energies(incident: Fact) -> dict[str, float | None]:
    """What was observed: the guide's three energies [Wh] of a solar site, else the signal by its name."""
    signals = incident.get("signals")
    name = str(signals[0]) if isinstance(signals, list) and signals else ""
    observed, unit = incident.get("observed"), str(incident.get("unit") or "")
    value = float(observed) if isinstance(observed, int | float) else None
    if name not in _SHOWN:
        return {f"{name} [{unit}]" if unit else name: value} if name else {}
    known = None if value is None or unit not in _WH else round(value * _WH[unit], _DECIMALS)
    return {shown: known if key == name else None for key, shown in _SHOWN.items()}
