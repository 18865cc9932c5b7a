import json
import subprocess
import sys

import pytest

from benchmarks.common import Goal, child_environment

RATES = {"first_per_s", "repeat_per_s", "judged_per_s"}
MAX_QUICK_PEAK_MB = 500
"""Half of what the big files may take: these are a hundredth of them, and most of it is imports."""
COMMON = {"goals", "machine", "quick"}


def _run(name):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", "--quick"]
    environment = child_environment()
    environment.pop("SERENO_DATA", None)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_latency_says_how_long_a_record_takes_beside_sklearn():
    document = _run("latency")

    assert set(document) >= COMMON | {"hundred_records_ms", "sklearn_one_row_ms", "ratio", "open_model_s"}
    assert set(document["one_record_ms"]) == {"p50", "p99"}
    assert document["ratio"] == pytest.approx(
        document["sklearn_one_row_ms"] / document["one_record_ms"]["p50"], abs=0.01
    )
    assert document["max_score_difference"] <= 1e-6
    assert 0 < document["abnormal_share"] < 1


def test_ingest_says_how_many_readings_are_stored_and_the_memory_that_took():
    document = _run("ingest")

    assert set(document) >= COMMON | {"sqlite", "postgres", "memory"}
    assert set(document["sqlite"]) == RATES
    assert document["postgres"] is None or set(document["postgres"]) == RATES
    assert set(document["memory"]) == {"file_bytes", "peak_mb", "peak_mb_at_tenth"}


def test_reader_says_what_was_read_right_beside_polars_and_pandas():
    document = _run("reader")

    assert set(document) >= COMMON | {"csv", "xlsx"}
    for figures in (document["csv"], document["xlsx"]):
        assert figures["sereno_check"]["error"] is None
        assert figures["sereno_ingest"]["values_right"]
        assert figures["sereno_ingest"]["times_right"]
        assert figures["sereno_ingest"]["peak_mb"] < MAX_QUICK_PEAK_MB
        for peer in filter(None, (figures["polars"], figures["pandas"])):
            assert (peer["by_hand"]["values_right"], peer["by_hand"]["times_right"]) == (True, True)
            assert not peer["unaided"]["values_right"]
        for name, ratio in figures["ratios"].items():
            assert (ratio is None) == (figures[name.partition("_")[0]] is None)


def test_startup_compares_help_with_a_bare_interpreter():
    document = _run("startup")

    assert set(document) >= COMMON | {"help_s", "bare_interpreter_s"}
    assert document["goals"]["ratio"]["value"] == document["ratio"]


def test_speed_compares_with_scikit_learn_and_jax_in_the_same_run():
    document = _run("speed")

    assert set(document) >= COMMON | {"forest", "pca", "lstm_score", "lstm_training"}
    assert document["forest"]["max_difference"] <= 1e-6
    assert document["pca"]["max_difference"] <= 1e-6
    for part in filter(None, (document["lstm_score"], document["lstm_training"])):
        assert part["ratio"] > 0
    if document["lstm_score"] is not None:
        assert document["lstm_score"]["max_difference"] <= 1e-5


@pytest.mark.parametrize(
    ("goal", "is_met"),
    [
        (Goal(1.0, 1.0), True),
        (Goal(1.1, 1.0), False),
        (Goal(0.9, 1.0, is_floor=True), False),
        (Goal(None, 1.0), None),
    ],
    ids=["at the limit", "above", "below a floor", "not measured"],
)
def test_goal_is_met_when_its_limit_is_kept(goal, is_met):
    assert goal.is_met is is_met
    assert goal.to_json()["met"] is is_met


def test_thresholds_say_what_a_promised_budget_is_worth():
    document = _run("thresholds")

    assert set(document) >= COMMON | {"calibrated", "by_method", "auto_by_tail", "refused", "in_service"}
    assert set(document["by_method"]) == {"auto", "conformal", "pot", "mean_3sigma"}
    assert set(document["by_method"]["mean_3sigma"]) == {"none"}
    assert all(goal["met"] for goal in document["goals"].values())
