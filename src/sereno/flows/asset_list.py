"""Every asset with what judges it and how fresh it is, from few queries however many there are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sereno.domain.incidents import HumanState
from sereno.domain.judgement import Severity
from sereno.domain.masking import has_words
from sereno.domain.signals import AssetKey
from sereno.flows.overview import is_late, segments_of, views_of
from sereno.flows.workspace import Workspace

__all__ = ["AssetFilter", "AssetRow", "listed_assets", "narrowed"]


@dataclass(frozen=True, slots=True)
class AssetRow:
    """One asset.

    Attributes:
        step: Its rhythm; None where it has none.
        segment: Empty where it has none.
        model: Id of the model that has learnt it; empty where none has.
        by_severity: Active incidents that people are told of.
    """

    key: AssetKey
    profile: str
    zone: str
    step: timedelta | None
    segment: str
    model: str
    is_simulated: bool
    by_severity: Mapping[Severity, int]
    last_at: datetime | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class AssetFilter:
    """Which assets, and in which order.

    Attributes:
        state: `late`, `unlearnt` (no model knows it) or `abnormal`.
        sort: `name`, `age` or `worst`.
    """

    text: str = ""
    profile: str = ""
    segment: str = ""
    state: str = ""
    sort: str = "name"

    def fits(self, row: AssetRow) -> bool:
        """Whether an asset is wanted."""
        states = {"late": row.is_late, "unlearnt": not row.model, "abnormal": bool(row.by_severity)}
        return (
            has_words(self.text, str(row.key))
            and self.profile in ("", row.profile)
            and self.segment in ("", row.segment)
            and states.get(self.state, True)
        )


def listed_assets(workspace: Workspace, wanted: AssetFilter) -> list[AssetRow]:
    """The assets that fit, in the order that is asked for."""
    now = workspace.now()
    with workspace.store.read() as tx:
        assets, last = tx.assets(), tx.last_readings()
        cards = {stored.card.profile: stored.card for stored in tx.models() if stored.is_active}
        active = [one for one in tx.incidents(is_active=True) if one.state is not HumanState.CLOSED]
        views = views_of(tx, workspace, assets, active)
    known = {profile: set(card.assets) for profile, card in cards.items()}
    shown = [view.incident for view in views if view.incident.visibility(now) == "shown"]
    counts: dict[AssetKey, Counter[Severity]] = {}
    for incident in shown:
        counts.setdefault(incident.asset, Counter())[incident.severity] += 1
    segments = segments_of(workspace, {one.profile for one in assets})
    rows = [
        AssetRow(
            key=one.key,
            profile=one.profile,
            zone=one.zone,
            step=one.step,
            segment=segments.get(one.key, ""),
            model=cards[one.profile].id if one.key in known.get(one.profile, ()) else "",
            is_simulated=one.is_simulated,
            by_severity=counts.get(one.key, Counter()),
            last_at=last.get(one.id),
            is_late=is_late(last.get(one.id), [one], now),
        )
        for one in assets
    ]
    return narrowed(rows, wanted)


def narrowed(rows: Sequence[AssetRow], wanted: AssetFilter) -> list[AssetRow]:
    """Those of the rows that fit, in the order that is asked for."""
    return _ordered([row for row in rows if wanted.fits(row)], wanted.sort)


def _ordered(rows: Sequence[AssetRow], sort: str) -> list[AssetRow]:
    by_name = sorted(rows, key=lambda row: (str(row.key).casefold(), row.profile))
    match sort:
        case "age":
            return sorted(by_name, key=lambda row: (row.last_at is not None, row.last_at))
        case "worst":
            return sorted(by_name, key=lambda row: max(row.by_severity, default=0), reverse=True)
        case _:
            return by_name
