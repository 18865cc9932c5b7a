"""How many alerts there were in the last days: days of the data, not of their detection."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sereno.flows.alert_files import Alert
from sereno.flows.workspace import Workspace

__all__ = ["date_text", "last_data", "summarise_alerts"]

_DATE = "%d.%m.%Y"
_DATE_TIME = "%d.%m.%Y %H:%M"
_DAY = timedelta(days=1)


def date_text(instant: datetime, zone: str) -> str:
    """The date of a record as the guide writes it; with the hour unless it is midnight."""
    local = instant.astimezone(ZoneInfo(zone))
    return local.strftime(_DATE if (local.hour, local.minute) == (0, 0) else _DATE_TIME)


def last_data(workspace: Workspace) -> dict[str, datetime]:
    """Local time of the latest stored reading of each company."""
    latest: dict[str, datetime] = {}
    with workspace.store.read() as tx:
        for asset in tx.assets():
            span = tx.span(asset.id)
            if span is not None:
                local = span[1].astimezone(ZoneInfo(asset.zone)).replace(tzinfo=None)
                latest[asset.key.site] = max(local, latest.get(asset.key.site, local))
    return latest


def summarise_alerts(
    alerts: Sequence[Alert], latest: Mapping[str, datetime], *, days: int
) -> dict[str, object]:
    """Counts of the alerts about each company's last `days` days of data.

    Args:
        latest: Time of the latest reading by company; without one, that of its latest alert.
    """
    dated = [(alert, _date(alert)) for alert in alerts]
    ends = dict(latest)
    for alert, at in dated:
        name = str(alert["empresa"])
        ends[name] = max(ends.get(name, at), at)
    age = [(alert, ends[str(alert["empresa"])] - at) for alert, at in dated]
    recent = [alert for alert, behind in age if behind < days * _DAY]
    return {
        "total": len(recent),
        "ultimas_24h": sum(behind < _DAY for _, behind in age),
        "por_severidad": dict(Counter(str(alert["severidad"]) for alert in recent)),
        "por_empresa": dict(Counter(str(alert["empresa"]) for alert in recent)),
    }


def _date(alert: Alert) -> datetime:
    """When the data of an alert is of; alerts of the earlier system fall back on their detection."""
    text = str(alert.get("fecha_dato", ""))
    for style in (_DATE, _DATE_TIME):
        try:
            return datetime.strptime(text, style)  # noqa: DTZ007 - local to the company, as the files are
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(str(alert.get("timestamp"))).replace(tzinfo=None)
    except ValueError:
        return datetime.min  # noqa: DTZ901 - an alert of no date is of no recent day
