import json
import subprocess
import sys

import pytest

from benchmarks.common import Goal, child_environment

RATES = {"first_per_s", "repeat_per_s", "judged_per_s"}
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


def test_startup_compares_help_with_a_bare_interpreter():
    document = _run("startup")

    assert set(document) >= COMMON | {"help_s", "bare_interpreter_s"}
    assert document["goals"]["ratio"]["value"] == document["ratio"]


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
