"""The benchmarks of fleets: every engine says the same, and every stage has its cost."""

import json
import subprocess
import sys

import pytest

from benchmarks.common import child_environment

pytestmark = pytest.mark.slow


def _run(name):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, env=child_environment(), check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_engines_say_the_same_also_when_a_worker_is_killed():
    document = _run("scale")

    assert document["digests_equal"]
    assert document["killed_worker_equal"]
    assert document["growth"]["assets"] == [8, 16, 32]
    assert all(document[name]["rows_per_s"] > 0 for name in ("local", "polars"))


def test_every_stage_has_its_cost():
    document = _run("capacity")

    assert set(document["stages"]) == {"ingest", "read_lake", "train", "score", "forecast"}
    for cost in document["stages"].values():
        assert min(cost.values()) > 0
    small, large = document["fleets"].values()
    assert large["million_readings_a_day"] == pytest.approx(10 * small["million_readings_a_day"])
