"""Starts, stops and set-points as people read them: what came from which level to which, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sereno.domain.judgement import RegimeChange
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import isoformat
from sereno.flows.named import named_assets
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import moment, quantity
from sereno.report.sentences import Place
from sereno.store import Transaction

__all__ = ["RegimeView", "find_regimes"]

_NOTHING = 0.05
"""Share of its other level below which a signal has stopped rather than changed."""


@dataclass(frozen=True, slots=True)
class RegimeView:
    """An asset that runs otherwise from an instant on.

    Attributes:
        signals: Those that are then at another level.
    """

    place: Place
    signals: tuple[RegimeChange, ...]

    @property
    def asset(self) -> AssetKey:
        """What runs otherwise."""
        return self.signals[0].asset

    @property
    def at(self) -> datetime:
        """When that was certain: a level must be held for some rows."""
        return self.signals[0].at

    @property
    def kind(self) -> str:
        """`start` or `stop` where half of the signals begin or cease to show anything; else `set_point`."""
        stopped = sum(abs(one.after) <= _NOTHING * abs(one.before) for one in self.signals)
        started = sum(abs(one.before) <= _NOTHING * abs(one.after) for one in self.signals)
        if 2 * max(stopped, started) < len(self.signals) or stopped == started:
            return "set_point"
        return "stop" if stopped > started else "start"

    def sentence(self, language: str) -> str:
        """The change in one sentence."""
        when = moment(self.at, self.place.zone, language, step=self.place.step)
        levels = ", ".join(self._level(one, language) for one in self.signals)
        return sentence(f"regime.{self.kind}", language, asset=self.asset, when=when, levels=levels)

    def _level(self, one: RegimeChange, language: str) -> str:
        signal = self.place.profile.signal(one.signal)
        before, after = (quantity(level, signal.unit, language) for level in (one.before, one.after))
        return sentence("regime.level", language, signal=signal.label(language), before=before, after=after)

    def to_json(self) -> dict[str, object]:
        """As `regimes --json` shows it."""
        return {
            "site": self.asset.site,
            "asset": self.asset.asset,
            "at": isoformat(self.at),
            "kind": self.kind,
            "signals": [
                {
                    "signal": one.signal,
                    "before": one.before,
                    "after": one.after,
                    "unit": self.place.profile.signal(one.signal).unit,
                }
                for one in self.signals
            ],
            "sentence": self.sentence("en"),
            "sentence_es": self.sentence("es"),
        }


def find_regimes(
    tx: Transaction,
    profiles: Mapping[str, Profile],
    *,
    asset: str | None = None,
    since: datetime | None = None,
) -> list[RegimeView]:
    """The changes of regime, newest first.

    Args:
        asset: Name of the only site or asset that is asked for.
        since: Only those at or after this instant.

    Raises:
        UnknownAsset: Nothing has that name.
    """
    views = []
    for one in tx.assets() if asset is None else named_assets(tx, asset):
        place = Place(profiles[one.profile], one.zone, one.step)
        changes = tx.regime_changes(one.id, since=since)
        views += [
            RegimeView(place, tuple(together)) for _, together in groupby(changes, lambda each: each.at)
        ]
    return sorted(views, key=lambda view: (view.at, view.asset), reverse=True)
