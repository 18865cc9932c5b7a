"""The signals of an asset against each other, with what was judged abnormal among them."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.domain.signals import Signal
from sereno.domain.time import to_numpy
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence
from sereno.report.plots import Plot
from sereno.report.scatter import ScatterMatrix, draw_scatter

__all__ = ["scatter_plot"]

_MOST_SIGNALS = 6
_MOST_POINTS, _MOST_ABNORMAL = 500, 200
_LEAST_POINTS = 3


def scatter_plot(
    workspace: Workspace,
    asset_id: int,
    time: np.ndarray,
    values: FloatArray,
    signals: Sequence[Signal],
    language: str,
) -> Plot:
    """Every signal against every other one.

    Rows are taken evenly, at most 500 of the calm ones and 200 of those that a detection covers.

    Args:
        time: Of the rows, shape (rows,).
        values: Without what is no measurement, shape (rows, signals).
    """
    title, about = sentence("patterns.scatter.title", language), sentence("patterns.scatter.about", language)
    kept = values[:, :_MOST_SIGNALS]
    usable = np.flatnonzero(np.isfinite(kept).sum(axis=1) > 1)
    if len(signals) < 2 or len(usable) < _LEAST_POINTS:
        missing = sentence("patterns.needs_signals", language)
        return Plot("scatter", title, about, "", missing=missing)
    is_abnormal = _covered(workspace, asset_id, time)
    rows = np.sort(
        np.concatenate(
            [
                _some(usable[~is_abnormal[usable]], _MOST_POINTS),
                _some(usable[is_abnormal[usable]], _MOST_ABNORMAL),
            ]
        )
    )
    names = [one.label(language) for one in signals[:_MOST_SIGNALS]]
    svg = draw_scatter(ScatterMatrix(title, names, kept[rows], is_abnormal[rows]))
    states = [sentence(f"patterns.scatter.{one}", language) for one in ("calm", "abnormal")]
    cells = [
        [
            str(time[row]),
            *(float(v) if np.isfinite(v) else None for v in kept[row]),
            states[int(is_abnormal[row])],
        ]
        for row in rows
    ]
    columns = [
        sentence("patterns.scatter.time", language),
        *names,
        sentence("patterns.scatter.state", language),
    ]
    keys = [("dots", states[0]), *([("abnormal", states[1])] if is_abnormal[rows].any() else [])]
    return Plot("scatter", title, about, svg, columns, cells, keys=keys, is_wide=True)


def _covered(workspace: Workspace, asset_id: int, time: np.ndarray) -> np.ndarray:
    """Which rows a detection covers, shape (rows,)."""
    found = np.zeros(len(time), dtype=bool)
    if not len(time):
        return found
    first, last = (datetime.fromisoformat(f"{time[place]}+00:00") for place in (0, -1))
    with workspace.store.read() as tx:
        detections = tx.detections_between(asset_id, first, last)
    for one in detections:
        is_inside = time >= to_numpy(one.started_at)
        if one.ended_at is not None:
            is_inside &= time < to_numpy(one.ended_at)
        found |= is_inside
    return found


def _some(rows: np.ndarray, most: int) -> np.ndarray:
    if len(rows) <= most:
        return rows
    chosen: np.ndarray = rows[np.linspace(0, len(rows) - 1, most).astype(int)]
    return chosen
