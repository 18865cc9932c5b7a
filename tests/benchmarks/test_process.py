import json
import os
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import process

DATA = Path(os.environ.get("SERENO_DATA", ""))


def _write_plants(folder):
    """A chemical plant with one fault, and a water network with an attack."""
    rng = np.random.default_rng(0)

    def noise(rows):
        return {f"xmeas_{i}": 10 * i + rng.normal(size=rows) for i in (1, 2, 3)}

    (folder / "tep_simulated").mkdir()
    (folder / "batadal_simulated").mkdir()
    pl.DataFrame(noise(500)).write_parquet(folder / "tep_simulated" / "d00.parquet")
    for name, shift in (("d00_te", 0.0), ("d01_te", 6.0)):
        rows = noise(600)
        rows["xmeas_2"][160:] += shift
        pl.DataFrame({**rows, "fault": np.zeros(600)}).write_parquet(
            folder / "tep_simulated" / f"{name}.parquet"
        )
    for name, n_rows in (("dataset03", 6_500), ("dataset04", 1_000)):
        attacked = np.zeros(n_rows, dtype=int)
        level = 3 + 0.1 * rng.normal(size=n_rows)
        if name == "dataset04":
            attacked[400:440] = 1
            level[400:440] += 1
        pl.DataFrame(
            {
                "DATETIME": ["x"] * n_rows,
                " L_T1": level,
                " F_PU1": rng.normal(size=n_rows),
                " ATT_FLAG": attacked,
            }
        ).write_parquet(folder / "batadal_simulated" / f"{name}.parquet")


def test_plants_are_read_with_their_labels(tmp_path):
    _write_plants(tmp_path)

    plants = {plant.name: plant for plant in process.read_plants(tmp_path)}

    assert set(plants) == {"batadal", "tep_d00", "tep_d01"}
    assert plants["batadal"].window.signals == ("L_T1", "F_PU1")
    assert np.flatnonzero(plants["batadal"].labels)[[0, -1]].tolist() == [6_900, 6_939]
    assert plants["batadal"].window.step == timedelta(hours=1)
    assert not plants["tep_d00"].labels.any()
    assert np.flatnonzero(plants["tep_d01"].labels)[0] == 660


def test_events_and_false_episodes_are_told_by_plant(tmp_path, capsys):
    _write_plants(tmp_path)

    process.main(["--json", "--data", str(tmp_path)])

    document = json.loads(capsys.readouterr().out)
    plants = document["plants"]
    assert plants["batadal"]["events_found"] == plants["tep_d01"]["events_found"] == 1
    assert plants["batadal"]["false_episodes"] == 0
    assert plants["tep_d00"]["f1"] is None
    assert document["trivial"]["batadal"]["always_on"]["far"] == 100
    assert document["goals"]["worst_false_episodes_per_week"]["met"]


def test_folder_without_plants_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no plant"):
        process.main(["--json", "--data", str(tmp_path)])


@pytest.mark.skipif(
    not os.environ.get("SERENO_DATA") or not (DATA / "gecco2018").is_dir(),
    reason="SERENO_DATA does not name the folder of the real data sets",
)
def test_months_of_real_water_quality_are_calm_but_for_the_events(capsys):
    process.main(["--json", "--data", str(DATA)])

    found = json.loads(capsys.readouterr().out)["plants"]["gecco2018"]
    assert found["events_found"] >= 0.85 * found["events"]
    assert found["false_episodes_per_week"] <= process.MAX_FALSE_PER_WEEK
