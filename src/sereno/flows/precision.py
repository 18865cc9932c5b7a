"""How often it was right to open an incident, as far as people have said."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sereno.domain.incidents import Incident, Verdict

__all__ = ["Precision", "precision_json", "precision_of"]


@dataclass(frozen=True, slots=True)
class Precision:
    """Confirmed incidents beside false alarms; what was expected or a data problem counts for neither."""

    real: int = 0
    false_alarms: int = 0

    @property
    def share(self) -> float | None:
        """Confirmed among both; None before anybody has said."""
        known = self.real + self.false_alarms
        return self.real / known if known else None

    def to_json(self) -> dict[str, object]:
        """With the share in percent."""
        share = self.share
        percent = None if share is None else round(100 * share, 1)
        return {"real": self.real, "false_alarms": self.false_alarms, "percent": percent}


def precision_json(
    incidents: Iterable[Incident], told: Mapping[str, Collection[str]] | None = None
) -> dict[str, object]:
    """Precision of all, by check, by asset, and by receiver.

    Args:
        told: Who was told of an incident, by its id; without it nothing is said of receivers.
    """
    judged = [one for one in incidents if one.verdict in {Verdict.REAL, Verdict.FALSE_ALARM}]
    receivers = told or {}
    return {
        **precision_of(judged).to_json(),
        "by_check": _grouped((one.leading[0].check, one) for one in judged),
        "by_asset": _grouped((str(one.asset), one) for one in judged),
        "by_receiver": _grouped((name, one) for one in judged for name in receivers.get(one.id, ())),
    }


def _grouped(named: Iterable[tuple[str, Incident]]) -> dict[str, object]:
    groups: dict[str, list[Incident]] = defaultdict(list)
    for name, incident in named:
        groups[name].append(incident)
    return {name: precision_of(groups[name]).to_json() for name in sorted(groups)}


def precision_of(incidents: Iterable[Incident]) -> Precision:
    """Precision of some incidents."""
    verdicts = [one.verdict for one in incidents]
    return Precision(verdicts.count(Verdict.REAL), verdicts.count(Verdict.FALSE_ALARM))
