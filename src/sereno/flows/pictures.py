"""The rows that the picture of an incident shows: its leading signal, before, during and after."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from sereno.domain.incidents import Incident
from sereno.domain.judgement import Detection, Memory
from sereno.domain.readings import FloatArray, TimeArray
from sereno.domain.signals import Profile
from sereno.domain.time import to_numpy
from sereno.flows.assets import JUDGE, next_window, standing_of
from sereno.flows.fleet import peer_reference
from sereno.flows.judge import BEHAVIOUR, DRIFT, Judgement, expected_without, judge_window
from sereno.flows.models import TrainedModel
from sereno.notify.picture import Picture, Series, draw_picture
from sereno.store import StoredAsset, Transaction

__all__ = ["Rows", "judged_rows", "picture_of", "stored_rows"]

_LONGEST = timedelta(days=60)
_CONTEXT_STEPS = 48
_AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Rows:
    """A signal over the time shown, shape (rows,); NaN where nobody knows.

    Attributes:
        exceedance: How far the check says that each row is beyond its limit, which is 1.
    """

    time: TimeArray
    observed: FloatArray
    expected: FloatArray
    exceedance: FloatArray


def picture_of(
    tx: Transaction,
    asset: StoredAsset,
    profile: Profile,
    model_of: Callable[[str], TrainedModel | None],
    incident: Incident,
    language: str,
) -> Picture | None:
    """What was observed and expected of an incident's leading signal; None where there is too little to draw.

    Args:
        model_of: The model that judges a profile.
    """
    worst = incident.worst
    step = asset.step or _AT_ONCE
    first, last = worst.started_at, worst.ended_at or worst.last_at + step
    first = max(first, last - _LONGEST)
    context = max(min(2 * (last - first), _LONGEST / 4), _CONTEXT_STEPS * step)
    start, stop = first - context, last + context / 4
    rows = judged_rows(tx, asset, profile, model_of, worst, (start, stop)) or stored_rows(
        tx, asset, worst, (start, stop)
    )
    if rows is None:
        return None
    unknown = np.full(len(rows.time), np.nan)
    series = Series(
        time=rows.time,
        observed=rows.observed,
        expected=rows.expected,
        low=unknown,
        high=unknown,
        abnormal=(first, last),
        label=profile.signal(worst.signals[0]).label(language),
        unit=worst.unit,
    )
    return draw_picture(series, zone=asset.zone, language=language)


def stored_rows(
    tx: Transaction, asset: StoredAsset, worst: Detection, shown: tuple[datetime, datetime]
) -> Rows | None:
    """The rows as they came."""
    found = tx.rows(asset.id, asset.profile, start=shown[0], end=shown[1])
    if worst.signals[0] not in found.signals:
        return None
    observed = found.values[:, found.signals.index(worst.signals[0])]
    unknown = np.full(len(found), np.nan)
    return Rows(found.time, observed, unknown, unknown)


def judged_rows(
    tx: Transaction,
    asset: StoredAsset,
    profile: Profile,
    model_of: Callable[[str], TrainedModel | None],
    worst: Detection,
    shown: tuple[datetime, datetime],
) -> Rows | None:
    """The rows with what the check expected of them; None where it cannot be asked again.

    From its beginning on, what is expected does not see the trouble, which it would follow.
    """
    model, state = model_of(profile.name), tx.watch_state(asset.id, JUDGE)
    if state is None or state.model != ("" if model is None else model.id_for(asset.key)):
        return None
    standing = standing_of(tx, asset, model, to_numpy(shown[0]))
    window = next_window(standing)
    reference = peer_reference(tx, standing.asset, model, window.time)
    begin, split, stop = np.searchsorted(
        window.time, [to_numpy(shown[0]), to_numpy(max(shown[0], worst.started_at)), to_numpy(shown[1])]
    ).tolist()

    def judged(first: int, last: int, memory: Memory) -> Judgement:
        rows, beside = window.rows(first, last), reference.rows(first, last)
        return judge_window(rows, profile, model, memory, None, beside)

    memory = judged(0, begin, standing.memory).memory if begin else standing.memory
    usual = judged(begin, stop, memory)
    evidence = next((one for one in usual.evidence if one.check == worst.check), None)
    if evidence is None or worst.signals[0] not in usual.window.signals:
        return None
    column = usual.window.signals.index(worst.signals[0])
    expected = evidence.expected[:, column].copy()
    if model is not None and worst.check in (BEHAVIOUR, DRIFT) and begin < split < stop:
        before = judged(begin, split, memory).memory
        part, beside = window.rows(split, stop), reference.rows(split, stop)
        apart = expected_without(worst.signals[0], worst.check, part, profile, model, before, beside)
        expected[split - begin :] = apart.expected
    return Rows(usual.window.time, usual.window.values[:, column], expected, evidence.exceedance)
