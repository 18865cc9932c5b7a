"""Detectors as estimators, over arrays and data frames."""

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sereno.domain.errors import DetectorUnknown, HistoryTooShort, SettingsError
from sereno.sklearn import SerenoDetector

N_ROWS = 1500


def _calm(rows: int = N_ROWS, seed: int = 0) -> np.ndarray:
    return 50.0 + np.random.default_rng(seed).normal(size=(rows, 3))


def _with_fault(rows: np.ndarray, at: int = 400, length: int = 12) -> np.ndarray:
    faulty = rows.copy()
    faulty[at : at + length, 1] += 12.0
    return faulty


def _frame(values: np.ndarray, *, asset: str = "P1", start: str = "2024-01-01") -> pl.DataFrame:
    time = np.datetime64(start, "us") + np.arange(len(values)) * np.timedelta64(1, "h")
    columns = {name: values[:, i] for i, name in enumerate(("flow", "pressure", "heat"))}
    return pl.DataFrame({"when": time, "plant": [asset] * len(values), **columns})


@pytest.mark.parametrize("name", ["robust", "pca", "forest", "ensemble"])
def test_fault_in_an_array_is_an_outlier(name: str) -> None:
    detector = SerenoDetector(name).fit(_calm())

    faulty = _with_fault(_calm(seed=1))

    predicted = detector.predict(faulty)
    assert (predicted[400:412] == -1).all()
    assert (predicted[:400] == -1).mean() < 0.03
    assert np.array_equal(predicted == -1, detector.score_samples(faulty) <= detector.offset_)
    assert np.allclose(detector.decision_function(faulty), detector.score_samples(faulty) - detector.offset_)


def test_frame_of_polars_scores_as_the_array_does_and_knows_its_columns() -> None:
    values = _calm()
    by_array = SerenoDetector("pca").fit(values)
    frame = _frame(values).drop("plant")

    by_frame = SerenoDetector("pca", time="when").fit(frame)

    assert by_frame.feature_names_in_.tolist() == ["flow", "pressure", "heat"]
    assert np.allclose(by_frame.score_samples(frame), by_array.score_samples(values))
    turned = frame.select("heat", "when", "pressure", "flow")
    assert np.array_equal(by_frame.score_samples(turned), by_frame.score_samples(frame))


def test_frame_of_pandas_with_a_time_zone_is_read_as_that_of_polars() -> None:
    pandas = pytest.importorskip("pandas")
    frame = _frame(_calm()).drop("plant")
    other = pandas.DataFrame({name: frame[name].to_numpy() for name in frame.columns})
    other["when"] = other["when"].dt.tz_localize("UTC").dt.tz_convert("Europe/Madrid")

    detector = SerenoDetector("pca", time="when").fit(frame)

    assert np.array_equal(detector.score_samples(other), detector.score_samples(frame))


def test_table_of_arrow_is_read_as_that_of_polars() -> None:
    pytest.importorskip("pyarrow")
    frame = _frame(_calm()).drop("plant")

    detector = SerenoDetector("pca", time="when").fit(frame)

    assert np.array_equal(detector.score_samples(frame.to_arrow()), detector.score_samples(frame))


def test_assets_in_one_frame_are_learnt_and_judged_apart() -> None:
    one, other = _frame(_calm(), asset="P1"), _frame(_calm(seed=3) * 10.0, asset="P2")
    both = pl.concat([one, other]).sample(fraction=1.0, shuffle=True, seed=0)

    detector = SerenoDetector("pca", time="when", asset="plant").fit(both)

    scored = both.with_columns(score=detector.score_samples(both))
    together = scored.filter(pl.col("plant") == "P1").sort("when")["score"].to_numpy()
    assert np.array_equal(together, detector.score_samples(one))
    assert (detector.predict(both) == 1).mean() > 0.98


def test_rows_that_follow_go_on_from_where_learning_ended() -> None:
    values = _calm(2 * N_ROWS)
    frame = _frame(values)
    learnt, following = frame[:N_ROWS], frame[N_ROWS:]
    detector = SerenoDetector(options={"n_trees": 10}, time="when", asset="plant").fit(learnt)

    scores = detector.score_samples(following)

    whole = detector.score_samples(frame)
    assert np.array_equal(scores, whole[N_ROWS:], equal_nan=True)


def test_unknown_rows_have_no_score_and_are_no_outliers() -> None:
    detector = SerenoDetector("pca").fit(_calm())
    rows = _calm(50, seed=2)
    rows[10] = np.nan

    assert np.isnan(detector.score_samples(rows)[10])
    assert detector.predict(rows)[10] == 1


def test_estimator_is_cloned_set_and_put_into_pipelines() -> None:
    detector = SerenoDetector("forest", options={"n_trees": 10}, budget=0.5)

    copy = clone(detector).set_params(detector="pca", options=None)
    pipeline = make_pipeline(StandardScaler(), copy).fit(_calm())

    assert detector.get_params()["detector"] == "forest"
    assert set(pipeline.predict(_with_fault(_calm(seed=1)))) == {-1, 1}
    assert len(ParameterGrid({"detector": ["pca", "forest"], "budget": [0.1, 0.5]})) == 4
    assert (copy.fit_predict(_calm()) == 1).mean() > 0.98


def test_budget_that_cannot_be_promised_is_said() -> None:
    with pytest.warns(UserWarning, match="cannot be promised"):
        detector = SerenoDetector("pca", budget=0.01).fit(_calm(400))

    assert detector.calibration_.budget > 0.01


@pytest.mark.parametrize(
    ("detector", "rows", "error", "said"),
    [
        (SerenoDetector("pca"), np.zeros(30), ValueError, "Expected 2D array, got 1D"),
        (SerenoDetector("pca"), [["a", "b"]], ValueError, "could not convert"),
        (SerenoDetector("pca"), np.zeros((5, 2)), HistoryTooShort, "5 rows"),
        (SerenoDetector("pcb"), _calm(100), DetectorUnknown, "There are: pca"),
        (SerenoDetector("pca", profile="nothing"), _calm(100), SettingsError, "'nothing' is not a profile"),
        (SerenoDetector("pca", time="when"), _calm(100), ValueError, "an array has none"),
        (SerenoDetector("pca", time="hour"), _frame(_calm(100)), ValueError, "no column 'hour'"),
    ],
    ids=["one dimension", "text", "few rows", "detector", "profile", "time of an array", "column"],
)
def test_what_cannot_be_learnt_is_refused(
    detector: SerenoDetector, rows: object, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        detector.fit(rows)


def test_other_number_of_columns_is_refused() -> None:
    detector = SerenoDetector("pca").fit(_calm())

    with pytest.raises(ValueError, match="X has 2 features"):
        detector.predict(_calm()[:, :2])
