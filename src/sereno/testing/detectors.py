"""What every detector must keep, whoever wrote it."""

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import MISSING, FrozenInstanceError, fields, is_dataclass, replace
from datetime import timedelta
from itertools import pairwise

import numpy as np

from sereno.contracts import Detector, TrainedDetector
from sereno.contracts.detection import Asked, score_together
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import Window
from sereno.testing.windows import STRANGER, a_calm_history, a_disturbed_window

__all__ = ["check_detector"]

_PARTS = ("values", "contributions", "expected", "is_telling")
_CUTS = ((1, 2, 3, 5, 8, 40, 41), (100, 100, 101), (7, 130, 131, 300), (250,))
"""Where a disturbed window is cut; a cut that stands twice makes an empty window between."""
_ROW_BY_ROW = 60
_MOST_CALM_ROWS_BEYOND = 0.05
"""Share of calm rows that may score above 1, which their own 99 % quantile is."""
_ROUNDING = 1e-9
_LAPS = 9
_MEMORY_SLACK = 2**16
"""What a memory may grow by [bytes] while the history is told `_LAPS` times: buffers may fill."""
_FOREIGN = "of-somebody-else/level"
_PROGRAM = "from sereno.testing.detectors import _tell_digest; _tell_digest()"


def check_detector(detector: Detector, history: Sequence[Window] | None = None) -> None:
    """Whether a detector keeps the contract: what it promises to the flows, on windows of its profile.

    Args:
        detector: Its hyper-parameters; choose small ones, it learns four times.
        history: Calm windows to learn from, each of at least 400 rows; simulated ones when not given.

    Raises:
        AssertionError: Something is not kept; says what.
    """
    history = a_calm_history(detector.profile) if history is None else history
    _check_options(detector)
    trained = _check_learning(detector, history)
    disturbed = a_disturbed_window(history[0])
    _check_scores(trained, history, disturbed)
    _check_stream(trained, disturbed)
    _check_together(trained, [*history, disturbed])
    _check_state(detector, trained, disturbed)
    _check_missing(trained, disturbed)
    _check_columns(trained, disturbed)
    _check_strangers(trained, disturbed)
    _check_memory(trained, history[0])
    _check_short_history(detector, history)
    _check_fresh_process(detector, history, disturbed)


def _demand(*, that: bool, otherwise: str) -> None:
    if not that:
        raise AssertionError(otherwise)


def _check_options(detector: Detector) -> None:
    kind = type(detector)
    _demand(that=bool((kind.__doc__ or "").strip()), otherwise="the class has no docstring")
    _demand(that=is_dataclass(detector), otherwise="it is no dataclass, so its options have no names")
    options = fields(detector)  # type: ignore[arg-type]
    _demand(that=options[0].name == "profile", otherwise="the first field is not `profile`")
    bare = [o.name for o in options[1:] if o.default is MISSING and o.default_factory is MISSING]
    _demand(that=not bare, otherwise=f"options without a default: {', '.join(bare)}")
    _check_frozen(detector, "profile")


def _check_frozen(thing: object, name: str) -> None:
    try:
        setattr(thing, name, None)
    except (FrozenInstanceError, AttributeError, TypeError):
        return
    raise AssertionError(f"{type(thing).__name__} is not frozen")


def _check_learning(detector: Detector, history: Sequence[Window]) -> TrainedDetector:
    before = [window.values.tobytes() for window in history]
    trained = detector.fit(history)
    untouched = before == [window.values.tobytes() for window in history]
    _demand(that=untouched, otherwise="learning changes its input")
    _check_frozen(trained, "lookback")
    _demand(that=isinstance(trained.lookback, timedelta), otherwise="`lookback` is no timedelta")
    knows = all(trained.knows(window.asset) for window in history)
    _demand(that=knows, otherwise="it does not know an asset that it learnt")
    _demand(that=not trained.knows(STRANGER), otherwise="it knows an asset that it never saw")
    everything = [np.ones(len(window), dtype=bool) for window in history]
    again = detector.fit_parts(history, everything)
    _demand(that=again.dump() == trained.dump(), otherwise="`fit_parts` of all rows is not `fit`")
    _check_parts(detector, history)
    return trained


def _check_parts(detector: Detector, history: Sequence[Window]) -> None:
    """Learning from two thirds of the rows gives scores of the rows that were left out."""
    use = [np.arange(len(window)) % len(window) < len(window) * 2 // 3 for window in history]
    trained = detector.fit_parts(history, use)
    for window, rows in zip(history, use, strict=True):
        scored = trained.score(window)[0].values[~rows]
        _demand(that=bool((~np.isnan(scored)).any()), otherwise="rows left out by `fit_parts` are not scored")


def _check_scores(trained: TrainedDetector, history: Sequence[Window], disturbed: Window) -> None:
    for window in (*history, disturbed):
        _check_shape(trained.score(window)[0], window)
    calm = np.concatenate([trained.score(window)[0].values for window in history])
    calm = calm[~np.isnan(calm)]
    _demand(that=len(calm) > 0, otherwise="no calm row has a score")
    beyond = float((calm > 1.0).mean())
    said = f"{beyond:.1%} of calm rows score above 1: scores are in units of the calm 99 % quantile"
    _demand(that=beyond <= _MOST_CALM_ROWS_BEYOND, otherwise=said)
    peak = np.nanmax(trained.score(disturbed)[0].values)
    _demand(that=bool(peak > 1.0), otherwise="a fault of ten standard deviations scores below 1")


def _check_shape(scores: Scores, window: Window) -> None:
    _demand(that=np.array_equal(scores.time, window.time), otherwise="`Scores.time` is not the window's")
    _demand(that=scores.values.shape == (len(window),), otherwise="`Scores.values` is not (rows,)")
    for name in _PARTS[1:]:
        shape = getattr(scores, name).shape
        _demand(that=shape == window.values.shape, otherwise=f"`Scores.{name}` is {shape}")
    _demand(that=not np.isinf(scores.values).any(), otherwise="a score is infinite")
    _demand(that=not (scores.values < 0).any(), otherwise="a score is negative")
    shares = np.nan_to_num(scores.contributions)
    _demand(that=not (shares < 0).any(), otherwise="a contribution is negative")
    total = shares.sum(axis=1)
    odd = (np.abs(total - 1.0) > _ROUNDING) & (np.nan_to_num(scores.values) >= 1.0)
    _demand(that=not odd.any(), otherwise="contributions of an abnormal row do not sum to 1")


def _check_stream(trained: TrainedDetector, window: Window) -> None:
    whole, end = trained.score(window)
    few, part_end = trained.score(window.rows(0, _ROW_BY_ROW))
    rows = tuple(range(1, _ROW_BY_ROW))
    for cuts, one, scored, last in (
        *((cuts, window, whole, end) for cuts in _CUTS),
        (rows, window.rows(0, _ROW_BY_ROW), few, part_end),
    ):
        memory, parts = Memory(), []
        for start, stop in pairwise((0, *cuts, len(one))):
            part, memory = trained.score(one.rows(start, stop), memory)
            parts.append(part)
        for name in _PARTS:
            streamed = np.concatenate([getattr(part, name) for part in parts])
            same = streamed.tobytes() == getattr(scored, name).tobytes()
            _demand(that=same, otherwise=f"`{name}` streamed in pieces {cuts} differs from the batch")
        changes = [change for part in parts for change in part.changes]
        same = changes == list(scored.changes)
        _demand(that=same, otherwise=f"`changes` streamed in pieces {cuts} differ from the batch")
        _demand(that=memory.dump() == last.dump(), otherwise=f"memory after pieces {cuts} differs")


def _check_together(trained: TrainedDetector, windows: Sequence[Window]) -> None:
    """Windows in one call get what each gets alone, where the detector has a `score_together`."""
    asked: list[Asked] = []
    for number, window in enumerate(windows):
        memory = trained.score(window.rows(0, _ROW_BY_ROW))[1]
        asked.append((window.rows(_ROW_BY_ROW, _ROW_BY_ROW + 1 + 3 * number), memory))
    told = score_together(trained, asked)
    for (scores, memory), (window, before) in zip(told, asked, strict=True):
        alone, after = trained.score(window, before)
        same = all(getattr(scores, name).tobytes() == getattr(alone, name).tobytes() for name in _PARTS)
        _demand(that=same, otherwise="`score_together` differs from `score`")
        same = memory.dump() == after.dump()
        _demand(that=same, otherwise="memory after `score_together` differs from that after `score`")


def _check_state(detector: Detector, trained: TrainedDetector, window: Window) -> None:
    state = trained.dump()
    read = replace(detector).load(state)  # type: ignore[type-var]
    _demand(that=read.dump() == state, otherwise="what `load` reads is not what `dump` wrote")
    _demand(that=_digest(read, window) == _digest(trained, window), otherwise="loaded, it scores otherwise")
    _demand(that=trained.dump() == state, otherwise="scoring changes the trained detector")
    bare = type(detector)(detector.profile)  # type: ignore[call-arg]
    same = bare.load(state).dump() == state
    _demand(that=same, otherwise="`dump` does not hold the options: defaults load another detector")


def _check_missing(trained: TrainedDetector, window: Window) -> None:
    scored = trained.score(window)[0].values
    empty = np.isnan(window.values).all(axis=1)
    _demand(that=bool(np.isnan(scored[empty]).all()), otherwise="a row without any value has a score")
    _demand(that=bool((~np.isnan(scored[-60:-3])).any()), otherwise="after a gap nothing is scored again")
    nothing = replace(window, values=np.full(window.values.shape, np.nan))
    scored = trained.score(nothing)[0].values
    _demand(that=bool(np.isnan(scored).all()), otherwise="a window without any value has scores")


def _check_columns(trained: TrainedDetector, window: Window) -> None:
    whole = trained.score(window)[0]
    order = list(range(len(window.signals)))[::-1]
    turned, _ = trained.score(_with_columns(window, order))
    same = turned.values.tobytes() == whole.values.tobytes()
    _demand(that=same, otherwise="signals in another order score otherwise")
    shares = whole.contributions[:, order]
    same = np.allclose(turned.contributions, shares, rtol=0.0, atol=_ROUNDING, equal_nan=True)
    _demand(that=same, otherwise="contributions do not follow the order of the signals")
    if len(order) > 1:
        fewer = _with_columns(window, order[:-1])
        _check_shape(trained.score(fewer)[0], fewer)
    values = np.concatenate([window.values, window.values[:, :1] + 1e6], axis=1)
    quality = np.concatenate([window.quality, window.quality[:, :1]], axis=1)
    signals = (*window.signals, "never_learnt")
    more = trained.score(replace(window, signals=signals, values=values, quality=quality))[0]
    same = more.values.tobytes() == whole.values.tobytes()
    _demand(that=same, otherwise="a signal that it never learnt changes the score")


def _check_strangers(trained: TrainedDetector, window: Window) -> None:
    stranger = replace(window, asset=STRANGER)
    _check_shape(trained.score(stranger)[0], stranger)
    one = window.rows(0, 1)
    _check_shape(trained.score(one)[0], one)


def _check_memory(trained: TrainedDetector, window: Window) -> None:
    half = len(window) // 2
    _, memory = trained.score(window.rows(0, half))
    held, values = memory.dump(), window.values.tobytes()
    scores, after = trained.score(window.rows(half, half), memory)
    _demand(that=len(scores.values) == 0, otherwise="an empty window has scores")
    _demand(that=after.dump() == held, otherwise="an empty window changes the memory")
    scores, end = trained.score(window.rows(half, len(window)), memory)
    _demand(that=memory.dump() == held, otherwise="scoring changes the memory that it was given")
    _demand(that=window.values.tobytes() == values, otherwise="scoring changes its input")
    foreign = Memory({**memory.arrays, _FOREIGN: np.arange(3.0)})
    beside, rest = trained.score(window.rows(half, len(window)), foreign)
    same = beside.values.tobytes() == scores.values.tobytes() and rest.dump() == end.dump()
    _demand(that=same, otherwise="arrays of another detector in the memory change it or are passed on")
    bound = 2 * len(end.dump()) + _MEMORY_SLACK
    span = len(window) * (window.time[1] - window.time[0])
    for again in range(1, _LAPS):
        _, end = trained.score(replace(window, time=window.time + again * span), end)
    _demand(that=len(end.dump()) <= bound, otherwise="the memory grows with the rows")


def _check_short_history(detector: Detector, history: Sequence[Window]) -> None:
    for short in ([], [history[0].rows(0, 0)], [history[0].rows(0, 1)]):
        try:
            trained = detector.fit(short)
        except HistoryTooShort:
            continue
        _check_shape(trained.score(history[0])[0], history[0])


def _check_fresh_process(detector: Detector, history: Sequence[Window], window: Window) -> None:
    places = os.pathsep.join(place for place in sys.path if place)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=pickle.dumps((detector, list(history), window)),
        env={**os.environ, "PYTHONPATH": places, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        check=False,
    )
    _demand(
        that=done.returncode == 0,
        otherwise=f"it cannot learn in a process of its own: {done.stderr.decode()[-2000:]}",
    )
    trained = detector.fit(history)
    own = f"{_sha(trained.dump())} {_digest(trained, window)}"
    said = "another process learns or scores otherwise with the same seed"
    _demand(that=done.stdout.decode() == own, otherwise=said)


def _tell_digest() -> None:
    """Learn what stands on stdin, in a process that has never learnt, and tell the digests."""
    detector, history, window = pickle.loads(sys.stdin.buffer.read())
    trained = detector.fit(history)
    sys.stdout.write(f"{_sha(trained.dump())} {_digest(trained, window)}")


def _digest(trained: TrainedDetector, window: Window) -> str:
    scores, memory = trained.score(window)
    return _sha(b"".join(getattr(scores, name).tobytes() for name in _PARTS) + memory.dump())


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _with_columns(window: Window, columns: list[int]) -> Window:
    return replace(
        window,
        signals=tuple(window.signals[column] for column in columns),
        values=window.values[:, columns],
        quality=window.quality[:, columns],
    )
