"""How fast detectors judge and learn, beside scikit-learn and JAX in the same run.

Pairs are timed in turns, so that both meet the same busy moments, and their ratio is reported: times hang on
the machine. Rows of 8 features; forests of 100 trees. The residual of principal components is compared with
scikit-learn's forest, which it can stand in for, and with scikit-learn's own components. Segments are LSTM
autoencoders of 8 assets with histories of different lengths, trained in one call; beside them the same
training in a process' habit of old: each segment with a step compiled for it alone. All on one thread where
the environment says so.
"""

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

from benchmarks.common import Goal, Options, parse_options, publish, tell, timed
from sereno.detect.forest import Forest, flatten
from sereno.detect.pca import Components
from sereno.domain.readings import FloatArray

__all__ = ["main"]

N_TREES, N_FEATURES, N_FIT = 100, 8, 5_000
N_ROWS, QUICK_ROWS = 100_000, 20_000
ONE_ROW_CALLS, QUICK_ONE_ROW_CALLS = 400, 40
BATCHES, QUICK_BATCHES = 7, 2
N_SEGMENTS, QUICK_SEGMENTS = 8, 3
SEGMENT_ROWS = 1_500
EPOCHS, QUICK_EPOCHS = 4, 2
LENGTH = 30
US_PER_S = 1e6

ONE_ROW_RATIO, BATCH_RATIO, PCA_RATIO = 50.0, 1.0, 20.0
MAX_DIFFERENCE, MAX_LSTM_DIFFERENCE = 1e-6, 1e-5


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options = parse_options("speed", str(__doc__), arguments)
    rng = np.random.default_rng(0)
    tell("forest")
    figures: dict[str, Any] = {"forest": _forest(rng, options)}
    tell("principal components")
    figures["pca"] = _pca(rng, options)
    has_deep = bool(find_spec("jax") and find_spec("optax"))
    figures["lstm_score"] = figures["lstm_training"] = None
    if has_deep:
        tell("LSTM: one window")
        figures["lstm_score"] = _lstm_score(rng, options)
        tell("LSTM: training segments")
        figures["lstm_training"] = _lstm_training(rng, options)
    figures["threads"] = os.environ.get("OMP_NUM_THREADS")
    publish(options, figures, _goals(figures))


def _goals(figures: dict[str, Any]) -> dict[str, Goal]:
    forest, pca, score = figures["forest"], figures["pca"], figures["lstm_score"]
    compiled = forest["batch_ratio"] if forest["is_compiled"] else None
    return {
        "forest_one_row_ratio": Goal(forest["one_row_ratio"], ONE_ROW_RATIO, is_floor=True),
        "forest_batch_ratio": Goal(compiled, BATCH_RATIO, is_floor=True),
        "forest_max_difference": Goal(forest["max_difference"], MAX_DIFFERENCE),
        "pca_batch_ratio_to_forest": Goal(pca["batch_ratio_to_forest"], PCA_RATIO, is_floor=True),
        "pca_max_difference": Goal(pca["max_difference"], MAX_DIFFERENCE),
        "lstm_max_difference": Goal(score and score["max_difference"], MAX_LSTM_DIFFERENCE),
    }


def _forest(rng: np.random.Generator, options: Options) -> dict[str, Any]:
    rows = rng.normal(size=(QUICK_ROWS if options.is_quick else N_ROWS, N_FEATURES))
    theirs = IsolationForest(n_estimators=N_TREES, random_state=0).fit(rows[:N_FIT])
    ours = flatten(theirs)
    ours.score(rows)  # compiles, or loads what was compiled
    difference = float(np.abs(ours.score(rows) + theirs.score_samples(rows)).max())
    one = _one_row(ours, theirs, rows, options)
    batch = _in_turns(lambda: ours.score(rows), lambda: theirs.score_samples(rows), _n_batches(options))
    by_numpy = median(timed(lambda: ours._score_block(rows.astype(np.float32))) for _ in range(2))
    return {
        "is_compiled": find_spec("numba") is not None,
        "one_row_us": _microseconds(one[0]),
        "sklearn_one_row_us": _microseconds(one[1]),
        "one_row_ratio": _ratio(one),
        "batch_rows_per_s": round(len(rows) / batch[0]),
        "sklearn_batch_rows_per_s": round(len(rows) / batch[1]),
        "batch_ratio": _ratio(batch),
        "batch_ratio_without_compiling": round(batch[1] / by_numpy, 2),
        "max_difference": difference,
        "rows": len(rows),
    }


def _one_row(
    ours: Forest, theirs: IsolationForest, rows: FloatArray, options: Options
) -> tuple[float, float]:
    """Medians of one-row calls [s]: without compiled code, which a first record would have to wait for."""
    few = np.asarray(rows[:1], dtype=np.float32)
    n_calls = QUICK_ONE_ROW_CALLS if options.is_quick else ONE_ROW_CALLS
    return _in_turns(lambda: ours._score_few(few), lambda: theirs.score_samples(few), n_calls)


def _pca(rng: np.random.Generator, options: Options) -> dict[str, Any]:
    mixing = rng.normal(size=(N_FEATURES, N_FEATURES))
    rows = rng.normal(size=(QUICK_ROWS if options.is_quick else N_ROWS, N_FEATURES)) @ mixing
    theirs = PCA(n_components=4).fit(rows[:N_FIT])
    ours = Components(theirs.mean_, theirs.components_, theirs.explained_variance_)
    forest = IsolationForest(n_estimators=N_TREES, random_state=0).fit(rows[:N_FIT])

    def residual(part: FloatArray) -> FloatArray:
        along = theirs.transform(part)
        left: FloatArray = np.sqrt(((part - theirs.inverse_transform(along)) ** 2).sum(axis=1))
        return left

    difference = float(np.abs(ours.measure(rows)[1] - residual(rows)).max())
    one = _in_turns(lambda: ours.measure(rows[:1]), lambda: residual(rows[:1]), 20 * _n_batches(options))
    batch = _in_turns(lambda: ours.measure(rows), lambda: residual(rows), _n_batches(options))
    beside = _in_turns(lambda: ours.measure(rows), lambda: forest.score_samples(rows), _n_batches(options))
    return {
        "one_row_us": _microseconds(one[0]),
        "sklearn_one_row_us": _microseconds(one[1]),
        "one_row_ratio": _ratio(one),
        "batch_rows_per_s": round(len(rows) / beside[0]),
        "batch_ratio_to_forest": _ratio(beside),
        "batch_ratio_to_sklearn_pca": _ratio(batch),
        "max_difference": difference,
    }


def _lstm_score(rng: np.random.Generator, options: Options) -> dict[str, Any]:
    from sereno.detect.lstm_training import reconstruct_by_jax, train_networks

    network = train_networks([_lesson("one", rng, SEGMENT_ROWS, epochs=1)])[0].network
    rows = rng.normal(size=(LENGTH, N_FEATURES)).astype(np.float32)
    ends = np.array([LENGTH - 1])
    ours = network.reconstruct(rows, ends, LENGTH)
    difference = float(np.abs(reconstruct_by_jax(network, rows[None])[0, -1] - ours[0]).max())
    n_calls = QUICK_ONE_ROW_CALLS if options.is_quick else ONE_ROW_CALLS
    times = _in_turns(
        lambda: network.reconstruct(rows, ends, LENGTH),
        lambda: reconstruct_by_jax(network, rows[None]),
        n_calls,
    )
    many = rng.normal(size=(QUICK_ROWS // 2, N_FEATURES)).astype(np.float32)
    all_ends = np.arange(LENGTH - 1, len(many))
    batch = timed(lambda: network.reconstruct(many, all_ends, LENGTH))
    return {
        "numpy_us": _microseconds(times[0]),
        "jax_us": _microseconds(times[1]),
        "ratio": _ratio(times),
        "numpy_batch_us_per_window": _microseconds(batch / len(all_ends)),
        "max_difference": difference,
    }


def _lstm_training(rng: np.random.Generator, options: Options) -> dict[str, Any]:
    """Seconds for all segments: in one call, and each with a step compiled for it alone."""
    from sereno.detect.lstm_training import forget_compiled, train_networks

    n_segments = QUICK_SEGMENTS if options.is_quick else N_SEGMENTS
    epochs = QUICK_EPOCHS if options.is_quick else EPOCHS
    lessons = [
        _lesson(f"segment {place}", rng, SEGMENT_ROWS + 60 * place, epochs=epochs)
        for place in range(n_segments)
    ]

    def apart() -> None:
        for lesson in lessons:
            forget_compiled()
            train_networks([lesson])

    def together() -> None:
        forget_compiled()
        train_networks(lessons)

    times = _in_turns(together, apart, 1 if options.is_quick else 2)
    return {
        "segments": n_segments,
        "together_s": round(times[0], 2),
        "each_compiled_s": round(times[1], 2),
        "ratio": _ratio(times),
    }


def _lesson(name: str, rng: np.random.Generator, n_rows: int, *, epochs: int) -> Any:  # noqa: ANN401
    from sereno.detect.lstm_training import Lesson, Recipe

    split = n_rows * 4 // 5
    return Lesson(
        name=name,
        inputs=rng.normal(size=(n_rows, N_FEATURES)).astype(np.float32),
        is_known=np.ones((n_rows, N_FEATURES), dtype=bool),
        ends=np.arange(LENGTH - 1, split),
        later=np.arange(split + LENGTH - 1, n_rows),
        length=LENGTH,
        seed=0,
        recipes=(Recipe(32, 5e-3, epochs, 64, patience=epochs, patience_lr=epochs, dropped=0.1),),
    )


def _in_turns(ours: Callable[[], object], theirs: Callable[[], object], n_turns: int) -> tuple[float, float]:
    """Median durations of two calls that take turns [s]."""
    pairs = [(timed(ours), timed(theirs)) for _ in range(n_turns)]
    return median(one for one, _ in pairs), median(other for _, other in pairs)


def _n_batches(options: Options) -> int:
    return QUICK_BATCHES if options.is_quick else BATCHES


def _microseconds(seconds: float) -> float:
    return round(seconds * US_PER_S, 1)


def _ratio(times: tuple[float, float]) -> float:
    return round(times[1] / times[0], 2)


if __name__ == "__main__":
    main()
