"""Truth laid beside what was said: names, variables and spans are matched, and misses are said."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sereno.domain.errors import UnknownAsset, UsageError
from sereno.domain.time import from_numpy
from sereno.flows.evaluation import Evaluation
from sereno.flows.workspace import Workspace
from tests.flows.test_segments import readings
from tests.support.builders import a_workspace
from tests.support.gas_clients import VARIABLES, ZONE, GasClients, gas_clients

LEARNT = 24 * 48


@pytest.fixture(scope="module")
def clients() -> GasClients:
    return gas_clients(4, days=60, seed=31, n_faults=5)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, clients: GasClients) -> Iterator[Workspace]:
    found = a_workspace(tmp_path_factory.mktemp("truth"))
    found.add(readings(clients, slice(0, None)), zone=ZONE)
    found.train(before=from_numpy(clients.time[LEARNT]))
    yield found
    found.close()


def evaluated(workspace: Workspace, folder: Path, lines: list[str], header: str = "") -> Evaluation:
    path = folder / "verdad.csv"
    path.write_text("\n".join([header or "cliente_id,inicio,fin,criticidad,variable", *lines, ""]), "utf-8")
    return workspace.evaluate(path)


def stretches(clients: GasClients, names: tuple[str, ...] = VARIABLES) -> list[str]:
    """The faults as stretches, in UTC."""
    found = []
    for one in clients.faults:
        start, last = (from_numpy(clients.time[row]) for row in (one.first, one.stop - 1))
        client, end = clients.names[one.client], last + timedelta(hours=1)
        span = f"{start:%Y-%m-%dT%H:%MZ},{end:%Y-%m-%dT%H:%MZ}"
        found.append(f"{client},{span},{one.severity},{names[one.variable]}")
    return found


def test_each_stretch_is_an_event_and_its_rows_are_abnormal(
    workspace: Workspace, clients: GasClients, tmp_path: Path
) -> None:
    found = evaluated(workspace, tmp_path, stretches(clients))

    rows = found.board.ours.rows
    assert found.board.n_events == len(clients.faults)
    assert rows.tp + rows.fn == sum(one.stop - one.first for one in clients.faults)
    assert rows.n_rows == 4 * len(clients.time)
    assert found.board.ours.n_found == len(clients.faults)
    assert found.board.ours.rows.f1 > 0.6


@pytest.mark.parametrize(
    "names",
    [
        ("pressure", "temperature", "volume"),
        ("presión", "TEMPERATURA", "Volumen"),
        ("p", "temp", "consumo de gas"),
    ],
    ids=["signals", "labels", "aliases"],
)
def test_variables_are_known_by_all_their_names(
    workspace: Workspace, clients: GasClients, tmp_path: Path, names: tuple[str, ...]
) -> None:
    found = evaluated(workspace, tmp_path, stretches(clients, names))

    assert found.unknown_variables == {}
    assert set(found.board.variables) == {"pressure", "temperature", "volume"}


def test_statement_counts_once_however_often_it_is_written(
    workspace: Workspace, clients: GasClients, tmp_path: Path
) -> None:
    once = evaluated(workspace, tmp_path, stretches(clients))
    thrice = evaluated(workspace, tmp_path, stretches(clients) * 3)

    assert (thrice.n_labels, thrice.n_distinct) == (3 * once.n_labels, once.n_distinct)
    assert thrice.board == once.board


def test_hour_labelled_for_each_variable_is_one_row(
    workspace: Workspace, clients: GasClients, tmp_path: Path
) -> None:
    at = clients.faults[0].first
    name, time = clients.names[clients.faults[0].client], f"{from_numpy(clients.time[at]):%Y-%m-%dT%H:%MZ}"
    lines = [f"{name},{time},True,Alta,{variable}" for variable in ("Presion", "Temperatura", "Volumen")]

    found = evaluated(
        workspace, tmp_path, lines, "cliente_id,Fecha,anomalia_real,criticidad_real,variable_afectada"
    )

    assert (found.n_distinct, found.board.n_events) == (3, 1)
    assert found.board.ours.rows.tp + found.board.ours.rows.fn == 1
    assert [score.n_rows for score in found.board.variables.values()] == [1, 1, 1]


def test_what_cannot_be_matched_is_said(workspace: Workspace, clients: GasClients, tmp_path: Path) -> None:
    lines = [
        *stretches(clients),
        "CLIENTE77,2024-01-20T05:00Z,2024-01-20T06:00Z,Alta,Presion",
        "CLIENTE1,1999-01-20T05:00Z,1999-01-20T06:00Z,Alta,Presion",
        "CLIENTE1,2024-01-20T05:00Z,2024-01-20T06:00Z,Alta,Caudal",
    ]

    found = evaluated(workspace, tmp_path, lines)

    assert found.unknown == {"CLIENTE77": 1}
    assert found.unknown_variables == {"Caudal": 1}
    assert found.n_outside == 1
    assert found.board.n_events == len(clients.faults) + 1


def test_only_rows_of_the_asked_span_count(workspace: Workspace, clients: GasClients, tmp_path: Path) -> None:
    path = tmp_path / "verdad.csv"
    spans = [line.rsplit(",", 2)[0] for line in stretches(clients)]
    path.write_text("\n".join(["cliente_id,inicio,fin", *spans]), "utf-8")
    since = from_numpy(clients.time[LEARNT])

    found = workspace.evaluate(path, since=since, until=since + timedelta(days=2))

    assert found.board.ours.rows.n_rows == 4 * 48
    assert found.board.n_levels == 0


def test_names_that_are_all_unknown_are_an_error(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnknownAsset):
        evaluated(workspace, tmp_path, ["CLIENTE77,2024-01-20T05:00Z,2024-01-20T06:00Z,Alta,Presion"])


def test_truth_without_names_needs_a_single_asset(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        evaluated(workspace, tmp_path, ["2024-01-20T05:00Z,2024-01-20T06:00Z"], "inicio,fin")


def test_before_a_model_data_and_physics_are_evaluated(clients: GasClients, tmp_path: Path) -> None:
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings(clients, slice(0, 24 * 20), only=0), zone=ZONE)

        found = evaluated(workspace, tmp_path, ["2024-01-20T05:00Z,2024-01-20T06:00Z"], "inicio,fin")

    assert found.models == {"gas": None}
    assert found.board.n_events == 1
