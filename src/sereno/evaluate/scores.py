"""Adding up judged assets: by row, event, variable and criticality, beside detectors without data.

Rows are compared one by one. Nothing is point-adjusted: one row found of a long event does not make all
of its rows found (Kim et al. 2022, doi 10.1609/aaai.v36i7.20680: it brings random scores near 1).
"""

import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from sereno.domain.readings import BoolArray
from sereno.evaluate.counts import Confusion
from sereno.evaluate.judged import JudgedAsset

__all__ = ["OURS", "DetectorScore", "Scoreboard", "VariableScore"]

OURS = "sereno"
_ALWAYS, _CLOCK, _RANDOM = "always", "clock", "random"
_WEEK = timedelta(weeks=1)
_DAY = timedelta(days=1)


@dataclass(slots=True)
class DetectorScore:
    """What one detector found.

    Attributes:
        rows: Counts of rows with a reading.
        n_found: Events with at least one row said while it lasted.
        delays: From the start of each found event to the end of the first row that said so [minutes].
        n_false: Runs of said rows that touch no event.
    """

    rows: Confusion = field(default_factory=Confusion)
    n_found: int = 0
    delays: list[float] = field(default_factory=list)
    n_false: int = 0

    @property
    def median_delay_minutes(self) -> float:
        """Middle delay of the found events [minutes]; NaN without any."""
        return float(np.median(self.delays)) if self.delays else float("nan")


@dataclass(slots=True)
class VariableScore:
    """Rows in which a variable was affected: said at all, and said with its name.

    Attributes:
        n_rows: Affected rows with a reading.
        n_found: Those in which an alarm stood.
        n_named: Those in which the alarm named the variable.
    """

    n_rows: int = 0
    n_found: int = 0
    n_named: int = 0


@dataclass(slots=True)
class Scoreboard:
    """The sums over all assets.

    Attributes:
        seed: Of the random detector.
        asset_weeks: Weeks judged, over all assets.
        detectors: Ours, and three that look at no data: always on; at the same hours each day, and at
            random, both as often as ours.
        variables: By name.
        levels: Rows said and true, by (true criticality, said criticality).
    """

    seed: int = 0
    n_assets: int = 0
    n_events: int = 0
    asset_weeks: float = 0.0
    detectors: dict[str, DetectorScore] = field(
        default_factory=lambda: {name: DetectorScore() for name in (OURS, _ALWAYS, _CLOCK, _RANDOM)}
    )
    variables: dict[str, VariableScore] = field(default_factory=dict)
    levels: Counter[tuple[int, int]] = field(default_factory=Counter)

    @property
    def ours(self) -> DetectorScore:
        """The score of what is evaluated."""
        return self.detectors[OURS]

    @property
    def n_levels(self) -> int:
        """Rows whose criticality could be compared."""
        return sum(self.levels.values())

    @property
    def level_agreement(self) -> float:
        """Share of those rows whose criticality was the true one; NaN without any."""
        agreed = sum(n for (true, said), n in self.levels.items() if true == said)
        return agreed / self.n_levels if self.n_levels else float("nan")

    @property
    def commonest_level_share(self) -> float:
        """What always saying the commonest true criticality would agree with."""
        by_level: Counter[int] = Counter()
        for (true, _), n in self.levels.items():
            by_level[true] += n
        return max(by_level.values()) / self.n_levels if self.n_levels else float("nan")

    def add(self, asset: JudgedAsset) -> None:
        """Count one asset in."""
        self.n_assets += 1
        self.n_events += len(asset.events)
        n_read = int(np.count_nonzero(asset.is_read))
        self.asset_weeks += n_read * ((asset.step or _DAY) / _WEEK)
        for name, said in _said_by(asset, self.seed).items():
            self._add_detector(self.detectors[name], asset, said)
        for name, affected in asset.affected.items():
            self._add_variable(asset, name, affected & asset.is_read)
        compared = asset.is_read & asset.is_said & asset.is_true & (asset.true_level >= 0)
        pairs = zip(asset.true_level[compared].tolist(), asset.level[compared].tolist(), strict=True)
        self.levels.update(pairs)

    def merge(self, other: "Scoreboard") -> None:
        """Count in what another board has counted of other assets, with the same seed."""
        self.n_assets += other.n_assets
        self.n_events += other.n_events
        self.asset_weeks += other.asset_weeks
        for name, score in other.detectors.items():
            own = self.detectors[name]
            own.rows += score.rows
            own.n_found += score.n_found
            own.delays += score.delays
            own.n_false += score.n_false
        for name, said in other.variables.items():
            mine = self.variables.setdefault(name, VariableScore())
            mine.n_rows += said.n_rows
            mine.n_found += said.n_found
            mine.n_named += said.n_named
        self.levels.update(other.levels)

    def _add_detector(self, score: DetectorScore, asset: JudgedAsset, said: BoolArray) -> None:
        score.rows += Confusion.of(said[asset.is_read], asset.is_true[asset.is_read])
        for event in asset.events:
            rows = np.flatnonzero(said[event.first : event.stop])
            if len(rows):
                score.n_found += 1
                score.delays.append(_minutes(asset, event.first, event.first + int(rows[0])))
        score.n_false += _n_false_runs(said & asset.is_read, asset)

    def _add_variable(self, asset: JudgedAsset, name: str, affected: BoolArray) -> None:
        score = self.variables.setdefault(name, VariableScore())
        score.n_rows += int(np.count_nonzero(affected))
        score.n_found += int(np.count_nonzero(affected & asset.is_said))
        if name in asset.named:
            score.n_named += int(np.count_nonzero(affected & asset.named[name]))


def _said_by(asset: JudgedAsset, seed: int) -> dict[str, BoolArray]:
    """Rows that each detector says, shape (rows,) each."""
    n_rows = len(asset.time)
    share = float(asset.is_said[asset.is_read].mean()) if asset.is_read.any() else 0.0
    rng = np.random.default_rng([seed, zlib.crc32(asset.name.encode())])
    return {
        OURS: asset.is_said,
        _ALWAYS: np.ones(n_rows, dtype=bool),
        _CLOCK: asset.local_hour < np.ceil(24 * share),
        _RANDOM: rng.random(n_rows) < share,
    }


def _minutes(asset: JudgedAsset, first: int, row: int) -> float:
    """From the start of a row to the end of another, when its reading is known."""
    passed = (asset.time[row] - asset.time[first]).astype("timedelta64[us]").item()
    return float((passed + (asset.step or timedelta(0))) / timedelta(minutes=1))


def _n_false_runs(said: BoolArray, asset: JudgedAsset) -> int:
    """Runs of said rows that touch no event; rows without a reading neither begin nor end one."""
    known = np.flatnonzero(asset.is_read)
    rows = said[known]
    begins = rows & ~np.concatenate(([False], rows[:-1]))
    run = np.cumsum(begins) - 1
    is_in_event = np.zeros(len(asset.time), dtype=bool)
    for event in asset.events:
        is_in_event[event.first : event.stop] = True
    touching = np.unique(run[rows & is_in_event[known]])
    return int(begins.sum()) - len(touching)
