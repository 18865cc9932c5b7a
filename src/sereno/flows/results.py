"""What the model makes of every stored row: its score, the error of each variable, and the verdict."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.errors import ModelMissing
from sereno.domain.judgement import Memory
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import Profile
from sereno.domain.time import to_numpy
from sereno.flows.assets import whole_window
from sereno.flows.exports import ExportPlan
from sereno.flows.fleet import peer_reference
from sereno.flows.judge import behaviour_in, weigh_window
from sereno.flows.models import TrainedModel
from sereno.report.exports import Cell, open_table
from sereno.store import StoredAsset, Transaction

__all__ = ["AssetResult", "ResultReport", "asset_result", "export_results"]

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class AssetResult:
    """The judged rows of an asset.

    Attributes:
        window: As they were judged.
        score: In units of the calm 99 % quantile, shape (rows,); NaN where nothing could be judged.
        threshold: From which a row is abnormal.
        errors: What each signal adds to the score: their squares add up to its square, shape (rows, signals).
        expected: What each signal should have been, in its unit, shape (rows, signals).
    """

    window: Window
    score: FloatArray
    threshold: float
    errors: FloatArray
    expected: FloatArray

    def since(self, instant: datetime | None) -> "AssetResult":
        """The rows from an instant on."""
        first = 0 if instant is None else int(np.searchsorted(self.window.time, to_numpy(instant)))
        rows = slice(first, len(self.window))
        return AssetResult(
            self.window.rows(first, len(self.window)),
            self.score[rows],
            self.threshold,
            self.errors[rows],
            self.expected[rows],
        )


@dataclass(frozen=True, slots=True)
class ResultReport:
    """What was written."""

    file: Path
    columns: tuple[str, ...]
    n_rows: int
    n_assets: int
    n_abnormal: int

    def to_json(self) -> dict[str, object]:
        """As `export results --json` shows it."""
        return {
            "file": str(self.file),
            "columns": list(self.columns),
            "rows": self.n_rows,
            "assets": self.n_assets,
            "abnormal": self.n_abnormal,
        }


def asset_result(tx: Transaction, asset: StoredAsset, profile: Profile, model: TrainedModel) -> AssetResult:
    """Judge all stored rows of an asset as judging does, without opening anything."""
    window = whole_window(tx, asset)
    reference = peer_reference(tx, asset, model, window.time)
    memory = Memory()
    parts = []
    for start in range(0, max(len(window), 1), _ROWS_AT_ONCE):
        stop = start + _ROWS_AT_ONCE
        beside = reference.rows(start, stop)
        weighed = weigh_window(window.rows(start, stop), profile, model, memory, None, beside)
        memory = weighed.memory
        behaviour = behaviour_in(weighed.evidence)
        parts.append((weighed.window, behaviour))
    threshold = parts[0][1].threshold
    score = np.concatenate([one.exceedance for _, one in parts]) * threshold
    shares = np.concatenate([one.contributions for _, one in parts])
    known = np.concatenate([judged.values for judged, _ in parts])
    errors = np.where(np.isnan(known), np.nan, score[:, None] * np.sqrt(shares))
    expected = np.concatenate([one.expected for _, one in parts])
    judged = _joined([one for one, _ in parts])
    return AssetResult(judged, score, threshold, errors, expected)


def _joined(windows: Sequence[Window]) -> Window:
    first = windows[0]
    return Window(
        asset=first.asset,
        profile=first.profile,
        signals=first.signals,
        time=np.concatenate([one.time for one in windows]),
        values=np.concatenate([one.values for one in windows]),
        quality=np.concatenate([one.quality for one in windows]),
        step=first.step,
        zone=first.zone,
    )


def export_results(
    tx: Transaction,
    model_of: Callable[[str], TrainedModel | None],
    profiles: Mapping[str, Profile],
    assets: Sequence[StoredAsset],
    output: Path,
    plan: ExportPlan,
    *,
    since: datetime | None = None,
) -> ResultReport:
    """Write a row per judged row: `timestamp` (clock of the site), `reconstruction_error`, `anomaly`.

    Of several variables also `error_<signal>` of each and `max_error_var`; of several assets `site` and
    `asset` before. A row that could not be judged has empty cells: it is not a normal one.

    Args:
        model_of: The model of a profile.

    Raises:
        ModelMissing: An asset's profile has no model.
    """
    models = {name: model_of(name) for name in {one.profile for one in assets}}
    signals = _signals(tx, assets)
    columns = _columns(signals, is_many=len(assets) > 1)
    n_rows = n_abnormal = 0
    with open_table(output, columns, plan.table_format) as table:
        for asset in assets:
            model = models[asset.profile]
            if model is None:
                raise ModelMissing(workspace=asset.profile)
            result = asset_result(tx, asset, profiles[asset.profile], model).since(since)
            identity = (asset.key.site, asset.key.asset) if len(assets) > 1 else ()
            table.add([*identity, *cells] for cells in _rows(result, signals))
            n_rows += len(result.window)
            n_abnormal += int((result.score >= result.threshold).sum())
    return ResultReport(output, columns, n_rows, len(assets), n_abnormal)


def _signals(tx: Transaction, assets: Sequence[StoredAsset]) -> tuple[str, ...]:
    """Signals of the assets, each once, in the order of the first that has it."""
    return tuple(dict.fromkeys(name for one in assets for name in whole_window(tx, one).signals))


def _columns(signals: Sequence[str], *, is_many: bool) -> tuple[str, ...]:
    identity = ("site", "asset") if is_many else ()
    each = (*(f"error_{name}" for name in signals), "max_error_var") if len(signals) > 1 else ()
    return (*identity, "timestamp", "reconstruction_error", "anomaly", *each)


def _rows(result: AssetResult, signals: Sequence[str]) -> Iterator[list[Cell]]:
    window = result.window
    places = [window.signals.index(name) if name in window.signals else None for name in signals]
    times: list[datetime] = local_time(window.time, window.zone).tolist()
    errors = np.nan_to_num(result.errors, nan=-1.0)
    worst = errors.argmax(axis=1).tolist() if window.signals else []
    for row, (time, score) in enumerate(zip(times, result.score.tolist(), strict=True)):
        is_judged = score == score  # noqa: PLR0124 - NaN
        cells: list[Cell] = [time, score, score >= result.threshold if is_judged else None]
        if len(signals) > 1:
            cells += [None if place is None else float(result.errors[row, place]) for place in places]
            cells.append(window.signals[worst[row]] if is_judged else None)
        yield cells
