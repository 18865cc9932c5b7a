"""The picture of an incident for messages: its signal before and during it, against what is expected."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from sereno.domain.incidents import Incident
from sereno.domain.judgement import Detection
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import Profile
from sereno.domain.time import to_numpy
from sereno.flows.assets import next_window, standing_of
from sereno.flows.fleet import peer_reference
from sereno.flows.judge import BEHAVIOUR, DRIFT, expected_without, judge_window
from sereno.flows.models import TrainedModel
from sereno.notify.picture import Picture, Series, draw_picture
from sereno.store import StoredAsset, Transaction

__all__ = ["picture_of"]

_DAY = timedelta(days=1)
_USUAL_STEPS = 96
"""Steps before the incident that are shown at least, so that the eye knows what is usual."""
_MAX_LENGTH = 60 * _DAY
_MAX_ROWS = 50_000
"""A picture is an addition: it is left out where it would take reading more."""
_TICK = np.timedelta64(1, "us")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What is shown, and what of it is the incident."""

    first: datetime
    start: datetime
    end: datetime


def picture_of(
    tx: Transaction,
    asset: StoredAsset,
    profile: Profile,
    model_of: Callable[[str], TrainedModel | None],
    incident: Incident,
    *,
    language: str,
) -> Picture | None:
    """The picture of an incident; None without rows, without a rhythm or where it would cost too much.

    What is expected is judged again without the guilty signal, so that it does not follow the trouble; of a
    data problem or a balance nothing is expected.

    Args:
        model_of: The model that judges a profile.
    """
    worst = incident.worst
    if asset.step is None or not worst.signals:
        return None
    stretch = _stretch(incident, worst, asset.step)
    model = model_of(profile.name)
    standing = standing_of(tx, asset, model, to_numpy(stretch.first))
    if len(standing.rows) > _MAX_ROWS or worst.signals[0] not in standing.signals:
        return None
    window = next_window(standing)
    first, stop = np.searchsorted(
        window.time, (to_numpy(stretch.first), to_numpy(stretch.end) + _TICK)
    ).tolist()
    shown = window.rows(first, stop)
    expected = np.full(len(shown), np.nan)
    if model is not None and worst.check in (BEHAVIOUR, DRIFT):
        reference = peer_reference(tx, standing.asset, model, window.time)
        memory = standing.memory
        if first:
            before = window.rows(0, first)
            memory = judge_window(before, profile, model, memory, None, reference.rows(0, first)).memory
        later = reference.rows(first, stop)
        told = expected_without(worst.signals[0], worst.check, shown, profile, model, memory, later)
        expected = _credible(told.expected, shown, worst)
    series = _series(shown, expected, stretch, worst, profile, language)
    return draw_picture(series, zone=asset.zone, language=language)


def _credible(expected: FloatArray, shown: Window, worst: Detection) -> FloatArray:
    """What is expected without the signal, unless at the worst moment it says the contrary."""
    row = int(np.searchsorted(shown.time, to_numpy(worst.peak_at)))
    if row >= len(shown):
        return expected
    observed = shown.values[row, shown.signals.index(worst.signals[0])]
    is_contrary = (observed - expected[row]) * (worst.observed - worst.expected) < 0
    return np.full(len(expected), np.nan) if is_contrary else expected


def _stretch(incident: Incident, worst: Detection, step: timedelta) -> _Stretch:
    """As long before the incident as it lasts and at least a day; of one that is too long its end."""
    end = incident.ended_at or worst.last_at + step
    start = max(incident.started_at, end - _MAX_LENGTH)
    usual = max(end - start, _USUAL_STEPS * step, _DAY)
    return _Stretch(start - min(usual, _MAX_LENGTH), start, end)


def _series(
    shown: Window, expected: FloatArray, stretch: _Stretch, worst: Detection, profile: Profile, language: str
) -> Series:
    signal, unknown = profile.signal(worst.signals[0]), np.full(len(shown), np.nan)
    return Series(
        time=shown.time,
        observed=shown.values[:, shown.signals.index(signal.name)],
        expected=expected,
        low=unknown,
        high=unknown,
        abnormal=(stretch.start, stretch.end),
        label=signal.label(language),
        unit=signal.unit,
    )
