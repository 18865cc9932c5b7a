"""Promise: an autoencoder learns a week of minutes and judges what comes every quarter of an hour."""

import csv
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

from sereno.domain.judgement import IncidentKind
from sereno.flows.workspace import Workspace
from tests.support.processes import Ran, sereno

pytest.importorskip("jax", reason="the extra 'deep' is not installed")
pytest.importorskip("optax", reason="the extra 'deep' is not installed")

QUARTER_ROWS, STREAMED_ROWS = 15, 1440
DETECTOR = "detector: {kind: lstm, options: {encoding_dim: 8, epochs: 8}}"
SETTINGS = f"timezone: Europe/Madrid\nlanguage: es\n{DETECTOR}\n"


class Block(NamedTuple):
    """A fault of the truth."""

    signals: list[str]
    start: datetime
    end: datetime


class Found(NamedTuple):
    """An incident as the store has it."""

    signals: tuple[str, ...]
    start: datetime
    end: datetime | None


class Journey(NamedTuple):
    """What was made and what came of it."""

    workspace: Path
    truth: list[Block]
    incidents: list[Found]
    trained: Ran


@pytest.fixture(scope="module", params=[1, 3], ids=["one variable", "three variables"])
def journey(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """simulate, ingest, train; a day in files of a quarter of an hour, the rest by the watcher."""
    folder = tmp_path_factory.mktemp("process")
    world, workspace = folder / "world", folder / "w"
    variables = ("--variables", request.param)
    assert (
        sereno("simulate", "process", *variables, "--output", world, "--seed", 11, workspace=workspace).code
        == 0
    )
    workspace.mkdir(exist_ok=True)
    (workspace / "sereno.yaml").write_text(SETTINGS, "utf-8")
    assert sereno("ingest", world / "train", workspace=workspace).code == 0
    trained = sereno("train", "--json", workspace=workspace)
    assert trained.code == 0, trained.err
    shutil.copytree(workspace, folder / "batch")
    with Workspace.open(workspace) as opened:
        for piece in _pieces(next((world / "test").glob("*.csv")), folder):
            opened.ingest(piece, judge=True)
    for part in ("test", "live"):
        assert sereno("watch", world / part, "--once", workspace=workspace).code == 0
    return Journey(workspace, _truth(world), _incidents(workspace), trained)


def _pieces(file: Path, folder: Path) -> list[Path]:
    head, *rows = file.read_text("utf-8").splitlines()
    pieces = []
    for first in range(0, STREAMED_ROWS, QUARTER_ROWS):
        place = folder / f"quarter{first:05}"
        place.mkdir()
        pieces.append(place / file.name)
        pieces[-1].write_text("\n".join([head, *rows[first : first + QUARTER_ROWS]]) + "\n", "utf-8")
    return pieces


def _truth(world: Path) -> list[Block]:
    with (world / "truth" / "process.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [Block(r["signals"].split(), *map(datetime.fromisoformat, (r["start"], r["end"]))) for r in rows]


def _incidents(workspace: Path) -> list[Found]:
    with Workspace.open(workspace) as opened:
        incidents = [view.incident for view in opened.incidents()]
    behaviour = [one for one in incidents if one.kind is IncidentKind.BEHAVIOUR]
    return sorted(
        (Found(one.worst.signals, d.started_at, d.ended_at) for one in behaviour for d in one.evidence),
        key=lambda found: found.start,
    )


def _of(block: Block, found: list[Found]) -> list[Found]:
    return [one for one in found if one.start < block.end and (one.end is None or one.end > block.start)]


def test_truth_has_the_blocks_of_the_trial(journey: Journey) -> None:
    n_signals = len({name for block in journey.truth for name in block.signals})

    assert len(journey.truth) == (25 if n_signals == 1 else 15) + 1
    assert {block.end - block.start for block in journey.truth} == {timedelta(minutes=15)}


def test_every_block_is_found_at_once_with_its_variable_and_ends_with_it(journey: Journey) -> None:
    found = [_of(block, journey.incidents) for block in journey.truth]

    assert all(found)
    firsts = [(block, one[0]) for block, one in zip(journey.truth, found, strict=True)]
    assert median(one.start - block.start for block, one in firsts) <= timedelta(minutes=2)
    right = [one.signals[0] in block.signals for block, one in firsts]
    assert sum(right) >= 0.9 * len(right)
    over = [one.end - block.end for block, one in firsts if one.end is not None]
    assert median(over) <= timedelta(minutes=6)


def test_false_alarms_stay_few(journey: Journey) -> None:
    used = {one for block in journey.truth for one in _of(block, journey.incidents)}

    assert len(set(journey.incidents) - used) <= 6


def test_quarters_of_an_hour_are_judged_as_one_batch_is(journey: Journey) -> None:
    batch = journey.workspace.with_name("batch")
    if not (batch / "whole").exists():
        (batch / "whole").mkdir()
        for part in ("test", "live"):
            sereno("ingest", journey.workspace.with_name("world") / part, workspace=batch)
        assert sereno("score", workspace=batch).code == 0

    assert _incidents(batch) == journey.incidents


def test_training_leaves_a_picture_of_its_losses(journey: Journey) -> None:
    card = journey.trained.document["models"][0]
    picture = journey.workspace / "models" / f"{card['id']}-loss.svg"

    assert card["detector"] == "lstm"
    root = ET.fromstring(picture.read_text("utf-8"))
    assert root.tag.endswith("svg")
    assert len(root.findall(".//{http://www.w3.org/2000/svg}path")) == 2


def test_results_have_the_columns_and_the_rows_of_the_faults(journey: Journey, tmp_path: Path) -> None:
    output = tmp_path / "anomaly_result.csv"

    done = sereno("export", "results", "--output", output, "--json", workspace=journey.workspace)

    with output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    signals = sorted({name for block in journey.truth for name in block.signals})
    plain = {"timestamp", "reconstruction_error", "anomaly"}
    assert set(rows[0]) == (
        plain if len(signals) == 1 else plain | {f"error_{s}" for s in signals} | {"max_error_var"}
    )
    assert done.document["rows"] == len(rows) == 7 * 1440 + 5 * 1440 + 45
    abnormal = [row for row in rows if row["anomaly"] == "True"]
    assert 0.6 * 15 * len(journey.truth) <= len(abnormal) <= 3 * 15 * len(journey.truth)
    assert [row["anomaly"] for row in rows[:29]] == [""] * 29
    if len(signals) > 1:
        squares = sum(float(abnormal[0][f"error_{name}"]) ** 2 for name in signals)
        assert squares == pytest.approx(float(abnormal[0]["reconstruction_error"]) ** 2, rel=1e-6)


@pytest.mark.parametrize(("language", "look"), [("es", "Mire primero"), ("en", "first")])
def test_report_is_one_file_that_names_the_variable(
    journey: Journey, tmp_path: Path, language: str, look: str
) -> None:
    output = tmp_path / "report.html"

    done = sereno(
        *("report", "Línea 1", "--output", output, "--lang", language, "--json"), workspace=journey.workspace
    )

    assert done.code == 0, done.err
    page = output.read_text("utf-8")
    assert not re.search(r"(src|href)=|url\(|@import|<script|<link", page)
    n_signals = len({name for block in journey.truth for name in block.signals})
    assert page.count("<svg") == 3 * n_signals + 2
    assert page.count('class="shade"') >= len(journey.truth)
    assert re.search(
        rf"{look}.*(temperature|pressure|flowrate)|(temperature|pressure|flowrate).*{look}", page
    )
    assert f"<dd>{done.document['abnormal']}</dd>" in page
    assert done.document["rows"] == 5 * 1440 + 45


def test_report_of_something_unknown_says_so(journey: Journey, tmp_path: Path) -> None:
    done = sereno("report", "Línea 9", "--output", tmp_path / "r.html", workspace=journey.workspace)

    assert done.code == 3
    assert "Línea 1" in done.err
    assert not (tmp_path / "r.html").exists()
