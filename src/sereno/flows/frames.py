"""Learning and judging rows that are in memory: arrays and data frames, without a workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from sereno.detect.registry import build_detector
from sereno.detect.rules import CalibrationRule
from sereno.domain.errors import SettingsError
from sereno.domain.judgement import Memory
from sereno.domain.readings import FloatArray, TimeArray, Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import EPOCH, from_numpy, to_numpy
from sereno.domain.version import VERSION
from sereno.flows.fleet import BlockNeighbours
from sereno.flows.judge import behaviour_in, weigh_window
from sereno.flows.models import TrainedModel
from sereno.flows.train import TrainingPlan, train_profile
from sereno.prepare.grid import build_window, infer_step
from sereno.settings.profiles import load_profiles

__all__ = ["LearningOptions", "Table", "judge_table", "learn_table"]


_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LearningOptions:
    """How a table is learnt: what a workspace has in its settings.

    Attributes:
        profile: Name of one of the package's profiles.
        detector: Name of what learns; `options` are its own.
        method: Rule by which the threshold is found, for so many false episodes per week and asset.
    """

    profile: str
    detector: str
    options: Mapping[str, object]
    method: str
    budget: float


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one or more assets in any order.

    Attributes:
        signals: Names of the columns.
        values: Shape (rows, signals); NaN where nothing was read.
        time: UTC starts of the rows, shape (rows,); None for hours in their order.
        assets: Name of each row's asset; None for a single one.
        zone: IANA zone of whole days.
    """

    signals: tuple[str, ...]
    values: FloatArray
    time: TimeArray | None = None
    assets: Sequence[str] | None = None
    zone: str = "UTC"


def learn_table(table: Table, options: LearningOptions) -> TrainedModel:
    """The model of the table's assets, calibrated; a budget that the rows cannot support is lowered.

    Raises:
        HistoryTooShort: No asset has enough rows.
        DetectorUnknown, DetectorOptionUnknown, DetectorMisconfigured, ExtraMissing: See `build_detector`.
    """
    profile = _profile(options.profile)
    plan = TrainingPlan(
        profile=profile,
        kind=options.detector,
        detector=build_detector(options.detector, profile, options.options),
        rule=CalibrationRule(options.method),
        budget=options.budget,
        is_budget_firm=False,
        now=_last_instant(table),
        code_version=VERSION,
    )
    return train_profile([window for window, _ in _windows(table, profile, {}).values()], plan)


def judge_table(table: Table, model: TrainedModel) -> FloatArray:
    """Behaviour score of each row, in the order of the table; NaN where there is nothing to judge.

    Rows after the end of what was learnt of their asset go on from there; others are a series of their own.
    """
    profile = _profile(model.card.profile)
    steps = {key: layout.step for key, layout in model.layouts.items()}
    scores = np.full(len(table.values), np.nan)
    windows = _windows(table, profile, steps)
    neighbours = BlockNeighbours({key: plain for key, (plain, _) in windows.items()})
    for key, (plain, rows) in windows.items():
        layout = model.layouts.get(key)
        window = plain if layout is None else _with_columns(plain, layout.signals)
        follows = table.time is not None and layout is not None and _is_after(window, layout.until)
        memory = model.memories[key] if follows else Memory()
        reference = neighbours.reference(key, model, window.time)
        behaviour = behaviour_in(weigh_window(window, profile, model, memory, None, reference).evidence)
        judged = behaviour.exceedance * behaviour.threshold
        place = np.minimum(np.searchsorted(window.time, rows.time), len(window) - 1)
        is_there = window.time[place] == rows.time
        scores[rows.index[is_there]] = judged[place[is_there]]
    return scores


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where the rows of a window stand in the table, in time order."""

    index: np.ndarray
    time: TimeArray


def _windows(
    table: Table, profile: Profile, steps: Mapping[AssetKey, timedelta | None]
) -> dict[AssetKey, tuple[Window, _Rows]]:
    """A window per asset, on its own rhythm or that which it had when it was learnt."""
    names = np.asarray(table.assets if table.assets is not None else [profile.name] * len(table.values))
    found = {}
    for name in dict.fromkeys(names.tolist()):
        index = np.flatnonzero(names == name)
        time = _times(table, index)
        order = np.argsort(time, kind="stable")
        rows = _Rows(index[order], time[order])
        values = table.values[rows.index]
        key = AssetKey(str(name), str(name))
        step = steps.get(key) or infer_step(rows.time) or (None if table.time is not None else _HOUR)
        readings = (rows.time, values, np.zeros(values.shape, dtype=np.int32))
        found[key] = build_window(key, profile.name, table.signals, readings, step, zone=table.zone), rows
    return found


def _times(table: Table, index: np.ndarray) -> TimeArray:
    if table.time is not None:
        times: TimeArray = table.time[index]
        return times
    hours: TimeArray = to_numpy(EPOCH) + np.arange(len(index)) * np.timedelta64(1, "h")
    return hours


def _last_instant(table: Table) -> datetime:
    return EPOCH if table.time is None or not len(table.time) else from_numpy(table.time.max())


def _is_after(window: Window, until: datetime | None) -> bool:
    return until is not None and bool(window.time[0] > to_numpy(until))


def _with_columns(window: Window, first: tuple[str, ...]) -> Window:
    """The window with learnt signals in their order, others behind."""
    known = [name for name in first if name in window.signals]
    signals = (*known, *(name for name in window.signals if name not in known))
    columns = [window.signals.index(name) for name in signals]
    return replace(
        window, signals=signals, values=window.values[:, columns], quality=window.quality[:, columns]
    )


def _profile(name: str) -> Profile:
    profiles = load_profiles()
    if name not in profiles:
        raise SettingsError(
            where="profile", detail=f"'{name}' is not a profile", hint=f"Profiles are {', '.join(profiles)}."
        )
    return profiles[name]
