"""`--lake` through the command line: the four commands of the manual, and options that do not fit."""

import re
from pathlib import Path

import pytest

from tests.scale.fleet import write_lake
from tests.support.builders import HOUR, a_roof
from tests.support.processes import ROOT, sereno

N_METERS = 3
SETTINGS = "detector: {trees: 10}\nexecutor: {workers: 0}\ntimezone: Europe/Madrid\n"
COMMANDS = re.findall(
    r"^sereno (\w+) +(--lake.*)$", (ROOT / "docs" / "scale.md").read_text("utf-8"), re.MULTILINE
)


@pytest.fixture(scope="module")
def meters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake, known anomalies, and a workspace that has nothing but settings."""
    folder = tmp_path_factory.mktemp("meters")
    roofs = [
        a_roof(f"Tejado {n}", rows=24 * 60, step=HOUR, seed=n, generation={(1300, 1400): 0.0})
        for n in range(N_METERS)
    ]
    write_lake(folder / "lake", roofs)
    days = [str(roofs[1].time[row])[:10] for row in (1300, 1399)]
    (folder / "truth.csv").write_text(
        f"cliente_id,fecha_inicio,fecha_fin\nTejado 1,{days[0]},{days[1]}\n", "utf-8"
    )
    (folder / "w").mkdir()
    (folder / "w" / "sereno.yaml").write_text(SETTINGS, "utf-8")
    return folder


def test_commands_of_the_manual_work_one_after_another(meters: Path) -> None:
    places = {
        "/data/meters": meters / "lake",
        "/data/results": meters / "out",
        "truth.csv": meters / "truth.csv",
    }
    documents = {}

    for name, options in COMMANDS:
        words = [str(places.get(word, word)) for word in options.split()]
        done = sereno(name, *words, "--json", workspace=meters / "w")
        assert done.code == 0, (name, done.err)
        documents[name] = done.document

    assert list(documents) == ["train", "score", "forecast", "evaluate"]
    assert documents["train"]["learnt"] == documents["forecast"]["forecasts"] == N_METERS
    assert documents["score"]["incidents"] >= N_METERS


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--output", "x"],
        ["forecast", "--output", "x"],
        ["forecast", "--store"],
        ["score", "--scores"],
        ["score", "--store"],
        ["score", "--profile", "solar"],
        ["score", "--output", "x"],
        ["evaluate", "--truth", "truth.csv", "--output", "x"],
        ["evaluate", "--truth", "truth.csv", "--profile", "solar"],
        ["train", "--lake", "x"],
        ["train", "--lake", "x", "--candidate"],
        ["forecast", "--lake", "x", "--asset", "y"],
        ["score", "--lake", "x", "file.csv"],
    ],
    ids=" ".join,
)
def test_options_that_would_do_nothing_are_refused(tmp_path: Path, words: list[str]) -> None:
    done = sereno(*words, "--lang", "es", workspace=tmp_path / "w", cwd=tmp_path)

    assert done.code == 2
    assert "lake" in done.err or "export results" in done.err
    assert not re.search(r"\b(with|without|only|together)\b", done.err)
    assert not (tmp_path / "w").exists()
