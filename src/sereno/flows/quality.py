"""How good the readings of each signal are: what is missing, and what is flagged; the worst first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sereno.domain.masking import has_words
from sereno.domain.signals import AssetKey
from sereno.flows.listing import quality_of
from sereno.flows.workspace import Workspace

__all__ = ["MOST_ASSETS", "SignalQuality", "qualities_of"]

MOST_ASSETS = 250
"""Assets that one answer looks at; a filter leaves fewer."""
_LEAST_THERE = 95.0
_MOST_FLAGGED = 2.0
"""Share of the values, from which a signal is bad [%]."""
_HARMLESS = frozenset({"converted", "estimated"})
"""Flags that say where a value comes from, not that it is wrong."""


@dataclass(frozen=True, slots=True)
class SignalQuality:
    """One signal of one asset over the last days of its data.

    Attributes:
        due: Steps for which a value was due.
        percent: Of them, those that are there.
        flags: Values by what was found of them.
    """

    key: AssetKey
    profile: str
    zone: str
    signal: str
    label: str
    due: int
    values: int
    percent: float
    flags: Mapping[str, int]
    until: datetime

    @property
    def flagged_percent(self) -> float:
        """Most frequent flag that says that a value is wrong, as share of the values [%]."""
        wrong = [count for name, count in self.flags.items() if name not in _HARMLESS]
        return round(100.0 * max(wrong, default=0) / max(self.values, 1), 2)

    @property
    def is_bad(self) -> bool:
        """Whether much is missing or flagged."""
        return self.percent < _LEAST_THERE or self.flagged_percent > _MOST_FLAGGED


def qualities_of(
    workspace: Workspace,
    *,
    days: int,
    language: str,
    text: str = "",
    profile: str = "",
    is_only_bad: bool = False,
) -> list[SignalQuality]:
    """The signals of the assets that fit, the worst first.

    Args:
        text: Words that all stand in the name of the asset.
    """
    assets = [one for one in workspace.assets(profile=profile or None) if has_words(text, str(one.key))][
        :MOST_ASSETS
    ]
    found = []
    with workspace.store.read() as tx:
        rows = [(a, row) for a in assets for row in quality_of(tx, a, workspace.profiles, days=days)]
    for asset, row in rows:
        signal = workspace.profiles[asset.profile].signal(str(row["signal"]))
        if not row["values"] and signal.is_optional:
            continue
        flags: Mapping[str, int] = row["flags"]  # type: ignore[assignment]
        found.append(
            SignalQuality(
                key=asset.key,
                profile=asset.profile,
                zone=asset.zone,
                signal=signal.name,
                label=signal.label(language),
                due=int(str(row["due"])),
                values=int(str(row["values"])),
                percent=float(str(row["percent"])),
                flags=flags,
                until=datetime.fromisoformat(str(row["to"])),
            )
        )
    shown = [one for one in found if one.is_bad or not is_only_bad]
    return sorted(shown, key=lambda one: (not one.is_bad, one.percent - one.flagged_percent, str(one.key)))
