"""Where an open incident is heading: the last rows of its episode against what would be without the trouble.

The expectation of a detector follows the trouble after a while, which would look like a recovery. So the rows
are judged again with the guilty signal blanked: what is expected then knows nothing of the trouble.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from math import inf

import numpy as np

from sereno.detect.trend import Trend, find_trend
from sereno.domain.calendar import local_time
from sereno.domain.incidents import Incident
from sereno.domain.judgement import Detection
from sereno.domain.outlook import Course, Outlook, Unlearnt
from sereno.domain.readings import FloatArray, TimeArray
from sereno.domain.signals import Profile
from sereno.domain.time import to_numpy
from sereno.flows.assets import JUDGE, next_window, standing_of
from sereno.flows.fleet import peer_reference
from sereno.flows.judge import BEHAVIOUR, DRIFT, expected_without, judge_window
from sereno.flows.models import TrainedModel
from sereno.store import StoredAsset, Transaction

__all__ = ["outlook_of", "unlearnt_of"]

_DAY = timedelta(days=1)
_TICK = np.timedelta64(1, "us")
_FINE = timedelta(minutes=15)
"""Steps shorter than this can show a course within hours; others have a rhythm of days in them."""
_MOST_DAYS = 30
_MOST_ROWS = 2_000
_MOST_BLOCKS = 30
_SEASON = 0.01
"""What a season may move a share of what is expected in a day."""
_SHORT = timedelta(weeks=1)
"""A history without all days of the week has not seen all that a machine does."""
_LONG_SHARE = 0.25
"""Share of what was learnt that makes what is unusual no exception."""
_FULL_DAY = 0.5
"""Share of the rows of the fullest day that a day needs to count."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """The guilty signal in the rows of the episode.

    Attributes:
        observed, expected: In its unit, shape (rows,).
        sign: 1 where it is too high, -1 where too low.
    """

    time: TimeArray
    zone: str
    observed: FloatArray
    expected: FloatArray
    sign: int


def outlook_of(
    tx: Transaction,
    asset: StoredAsset,
    profile: Profile,
    model_of: Callable[[str], TrainedModel | None],
    incident: Incident,
) -> Outlook | None:
    """The course of an open incident of behaviour or drift; None where there is none or it is not clear.

    Judges a bounded stretch of stored rows again, without storing anything.

    Args:
        model_of: The model that judges a profile.
    """
    detection = _told_last(incident)
    if detection is None or asset.step is None:
        return None
    model, state = model_of(profile.name), tx.watch_state(asset.id, JUDGE)
    if model is None or state is None or state.model != model.id_for(asset.key):
        return None
    signal = profile.signal(detection.signals[0])
    is_daily = signal.is_ratio_scaled or asset.step >= _FINE
    reach = _MOST_DAYS * _DAY if is_daily else _MOST_ROWS * asset.step
    rows = _rows(tx, asset, profile, model, detection, reach)
    if is_daily:
        is_share = signal.is_ratio_scaled
        trend = find_trend(_by_day(rows, is_share=is_share), least=_SEASON if is_share else 0.0)
        return _outlook(trend, _DAY, most=1.0 if is_share and rows.sign < 0 else inf)
    rows_at_once = -(-len(rows.observed) // _MOST_BLOCKS)
    trend = find_trend(_by_block(rows, rows_at_once))
    return _outlook(trend, asset.step * rows_at_once)


def unlearnt_of(asset: StoredAsset, model: TrainedModel | None, incident: Incident) -> Unlearnt | None:
    """How short the history is that an open incident is judged by, where that may be why it is open."""
    detection = _told_last(incident)
    if model is None or detection is None or asset.step is None or detection.check != BEHAVIOUR:
        return None
    if detection.model != model.card.id:
        return None
    weeks = model.calibration_of(asset.step, asset.key).asset_weeks / max(1, len(model.card.assets))
    learnt, lasted = timedelta(weeks=weeks), detection.n_rows * asset.step
    return Unlearnt(learnt, lasted) if learnt < _SHORT and lasted >= _LONG_SHARE * learnt else None


def _told_last(incident: Incident) -> Detection | None:
    """What goes on of the behaviour that the incident is about."""
    open_ones = [one for one in incident.evidence if one.ended_at is None and one.check in (BEHAVIOUR, DRIFT)]
    return max(open_ones, key=lambda one: one.score / one.threshold, default=None)


def _rows(
    tx: Transaction,
    asset: StoredAsset,
    profile: Profile,
    model: TrainedModel,
    detection: Detection,
    reach: timedelta,
) -> _Rows:
    start = to_numpy(max(detection.started_at, detection.last_at - reach))
    standing = standing_of(tx, asset, model, start)
    window = next_window(standing)
    reference = peer_reference(tx, standing.asset, model, window.time)
    first, stop = np.searchsorted(window.time, (start, to_numpy(detection.last_at) + _TICK)).tolist()
    memory = standing.memory
    if first:
        before = window.rows(0, first)
        memory = judge_window(before, profile, model, memory, None, reference.rows(0, first)).memory
    expectation = expected_without(
        detection.signals[0],
        detection.check,
        window.rows(first, stop),
        profile,
        model,
        memory,
        reference.rows(first, stop),
    )
    sign = 1 if detection.observed > detection.expected else -1
    return _Rows(window.time[first:stop], window.zone, expectation.observed, expectation.expected, sign)


def _by_day(rows: _Rows, *, is_share: bool) -> FloatArray:
    """Deviation of each local day: as a share of what is expected, or in the unit of the signal."""
    day = local_time(rows.time, rows.zone).astype("datetime64[D]").astype(np.int64)
    day -= day[:1]
    is_known = ~np.isnan(rows.observed) & ~np.isnan(rows.expected)
    day, observed, expected = day[is_known], rows.observed[is_known], rows.expected[is_known]
    if not len(day):
        return np.empty(0)
    count = np.bincount(day).astype(float)
    gap, usual = np.bincount(day, observed - expected), np.bincount(day, expected)
    is_full = (count >= _FULL_DAY * count.max()) & ((usual > 0) | (not is_share))
    by = np.where(is_full, usual if is_share else count, np.nan)
    return rows.sign * gap / by


def _by_block(rows: _Rows, rows_at_once: int) -> FloatArray:
    """Middle deviation of blocks of equal length, the last one at the end, in the unit of the signal."""
    gaps = rows.sign * (rows.observed - rows.expected)
    gaps = gaps[len(gaps) % max(rows_at_once, 1) :]
    blocks = [gaps[start : start + rows_at_once] for start in range(0, len(gaps), max(rows_at_once, 1))]
    return np.array([np.nan if np.isnan(one).all() else np.nanmedian(one) for one in blocks])


def _outlook(trend: Trend | None, block: timedelta, *, most: float = inf) -> Outlook | None:
    """What the course comes to.

    Args:
        most: Largest deviation that there can be.
    """
    if trend is None:
        return None
    if trend.course is Course.STEADY:
        return Outlook(Course.STEADY)
    if trend.course is Course.EASING:
        return Outlook(Course.EASING, "normal", max(trend.now, 0.0) / -trend.slope * block)
    if 2 * trend.now > most:
        return Outlook(Course.WORSENING, "nothing", max(most - trend.now, 0.0) / trend.slope * block)
    return Outlook(Course.WORSENING, "double", max(trend.now, 0.0) / trend.slope * block)
