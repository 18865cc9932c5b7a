"""The whole journey once: what holds is not made twice, what changed is, and a kill leaves nothing broken."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from sereno.domain.errors import EngineRunning, FileMissing, NoReadings
from sereno.flows.running import RunReport, run_workspace
from sereno.flows.workspace import Workspace
from tests.flows.test_segments import readings
from tests.support.builders import a_roof, a_workspace, readings_of, write_solar_csv
from tests.support.gas_clients import GasClients, gas_clients
from tests.support.processes import killed_after

SETTINGS = "run: {inputs: [datos], truth: verdad.csv}\n"


@pytest.fixture(scope="module")
def clients() -> GasClients:
    return gas_clients(4, days=50, seed=41, n_faults=4)


@pytest.fixture
def prepared(tmp_path: Path, clients: GasClients) -> Path:
    """A workspace with a workbook and its truth, nothing read yet."""
    folder = tmp_path / "w"
    (folder / "datos").mkdir(parents=True)
    (folder / "sereno.yaml").write_text(
        f"timezone: America/Lima\ndetector: {{trees: 10}}\n{SETTINGS}", "utf-8"
    )
    clients.write_workbook(folder / "datos" / "clientes.xlsx")
    clients.write_truth(folder / "verdad.csv")
    return folder


def ran(folder: Path, tell: Callable[[str, dict[str, object]], None] = lambda _n, _f: None) -> RunReport:
    with a_workspace(folder) as workspace:
        return run_workspace(workspace, tell=tell)


def tables(folder: Path) -> dict[str, bytes]:
    names = ("anomalies_detected.csv", "client_clusters.csv")
    return {name: (folder / "reports" / name).read_bytes() for name in names}


def run_in_process(folder: Path) -> None:
    """What a killed run was doing."""
    with Workspace.open(folder) as workspace:
        run_workspace(workspace)


def test_stages_come_in_order_and_the_last_part_teaches_nothing(prepared: Path, clients: GasClients) -> None:
    heard: list[str] = []

    report = ran(prepared, lambda name, _facts: heard.append(name))

    assert (
        heard
        == list(report.seconds)
        == [
            "etl",
            "clustering",
            "training",
            "detection",
            "evaluation",
            "exports",
        ]
    )
    assert report.cut is not None
    span = (clients.time[-1] - clients.time[0]).item()
    assert report.cut == a_workspace(prepared).last_reading_at() - span * 0.2  # type: ignore[operator]
    assert report.evaluation is not None
    assert report.evaluation.since == report.cut
    assert report.notes == []


def test_second_run_makes_nothing_twice(prepared: Path) -> None:
    first, before = ran(prepared), tables(prepared)

    second = ran(prepared)

    assert (first.reused, second.reused) == ([], ["clustering", "training"])
    assert second.models == first.models
    assert tables(prepared) == before
    times = yaml.safe_load((prepared / "reports" / "execution_times.yaml").read_text("utf-8"))
    assert times["reused"] == ["clustering", "training"]


def test_other_settings_learn_again(prepared: Path) -> None:
    first = ran(prepared)
    path = prepared / "sereno.yaml"
    path.write_text(path.read_text("utf-8").replace("trees: 10", "trees: 11"), "utf-8")

    second = ran(prepared)

    assert second.reused == []
    assert second.models != first.models


def test_settings_that_teach_nothing_change_nothing(prepared: Path) -> None:
    first = ran(prepared)
    with (prepared / "sereno.yaml").open("a", encoding="utf-8") as file:
        file.write("criticality: {high: 9}\ntariff: {currency: PEN}\n")

    second = ran(prepared)

    assert second.reused == ["clustering", "training"]
    assert second.models == first.models


def test_more_readings_learn_again(prepared: Path, clients: GasClients) -> None:
    ran(prepared)
    more = gas_clients(4, days=60, seed=41, n_faults=0)
    more.write_workbook(prepared / "datos" / "clientes_2.xlsx")

    second = ran(prepared)

    assert second.reused == []


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda path: path.write_bytes(b"x")], ids=["lost", "altered"]
)
def test_model_that_is_lost_or_altered_is_made_again(
    prepared: Path, damage: Callable[[Path], object]
) -> None:
    first = ran(prepared)
    (artefact,) = (prepared / "models").glob("*.sereno")
    before = artefact.read_bytes()
    damage(artefact)

    again = ran(prepared)

    assert again.reused == ["clustering"]
    assert again.models == first.models
    assert len(artefact.read_bytes()) == len(before)


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_killed_run_is_completed_by_the_next(prepared: Path, tmp_path: Path, share: float) -> None:
    shutil.copytree(prepared, tmp_path / "whole")
    code, seconds = killed_after(None, run_in_process, tmp_path / "whole")
    assert code == 0

    killed_after(share * seconds, run_in_process, prepared)
    code, _ = killed_after(None, run_in_process, prepared)

    assert code == 0
    assert tables(prepared) == tables(tmp_path / "whole")
    assert not list(prepared.rglob("*.part"))


def test_short_history_is_judged_by_data_and_physics_and_said(tmp_path: Path) -> None:
    roof = a_roof("Planta 1", rows=12)
    write_solar_csv(tmp_path / "datos", roof)
    with a_workspace(tmp_path, settings="run: {inputs: [datos]}\n") as workspace:
        report = run_workspace(workspace)

    assert {error.code for error in report.notes} == {"model.history_too_short"}
    assert report.models == {}
    assert report.evaluation is None
    assert (tmp_path / "reports" / "anomalies_detected.csv").is_file()


def test_several_kinds_of_assets_have_tables_of_their_own(tmp_path: Path, clients: GasClients) -> None:
    with a_workspace(tmp_path) as workspace:
        workspace.add(readings(clients, slice(0, 24 * 20)), zone="America/Lima")
        workspace.add(readings_of(a_roof("Planta 1", rows=60)), zone="Europe/Madrid")
        report = run_workspace(workspace)

    assert set(report.anomalies) == {"gas", "solar"}
    assert {"anomalies_detected_gas.csv", "anomalies_detected_solar.csv"} <= set(report.files)
    assert all(path.exists() for path in report.files.values())


def test_nothing_to_work_on_is_said(tmp_path: Path) -> None:
    with a_workspace(tmp_path) as workspace, pytest.raises(NoReadings):
        run_workspace(workspace)


def test_inbox_that_is_empty_today_stops_nothing(tmp_path: Path, clients: GasClients) -> None:
    (tmp_path / "datos").mkdir()
    with a_workspace(tmp_path, settings="run: {inputs: [datos]}\n") as workspace:
        workspace.add(readings(clients, slice(0, 24 * 20)), zone="America/Lima")
        report = run_workspace(workspace)

    assert report.score is not None
    assert report.score.n_rows > 0


def test_input_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = "run: {inputs: [no_existe]}\n"
    with a_workspace(tmp_path, settings=settings) as workspace, pytest.raises(FileMissing) as caught:
        run_workspace(workspace)

    assert "no_existe" in str(caught.value)


def test_two_engines_do_not_run_at_once(prepared: Path) -> None:
    with (
        a_workspace(prepared) as first,
        a_workspace(prepared) as second,
        first.engine_lease("watch"),
        pytest.raises(EngineRunning),
    ):
        run_workspace(second)


def test_without_a_last_part_everything_teaches(prepared: Path) -> None:
    path = prepared / "sereno.yaml"
    path.write_text(path.read_text("utf-8").replace("truth: verdad.csv", "test_size: 0"), "utf-8")

    report = ran(prepared)

    assert report.cut is None
    assert timedelta(0) < timedelta(seconds=sum(report.seconds.values()))
