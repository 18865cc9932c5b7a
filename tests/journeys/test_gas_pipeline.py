"""Promise: workbooks with a sheet per client and `sereno run` give every table of the gas pipeline."""

import csv
import json
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.gas_clients import ZONE, GasClients, gas_clients
from tests.support.processes import sereno

SETTINGS = f"""\
timezone: {ZONE}
language: es
assets:
  '*': {{pressure: gauge, volume: line, base_temperature_c: 0}}
segments:
  features: [Volumen_mean, Volumen_std, Presion_median, cantidad_gas_calculada_mean, consumo_finde_ratio]
run:
  inputs: [datos]
  truth: verdad.csv
  output: resultados
  preprocessed: true
"""
SEED = 3


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def clients() -> GasClients:
    return gas_clients(8, days=120, seed=SEED)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, clients: GasClients) -> Path:
    folder = tmp_path_factory.mktemp("gas")
    (folder / "datos").mkdir()
    (folder / "sereno.yaml").write_text(SETTINGS, "utf-8")
    clients.write_workbook(folder / "datos" / "mediciones_1.xlsx", range(4))
    clients.write_workbook(folder / "datos" / "mediciones_2.xlsx", range(4, 8))
    clients.write_truth(folder / "verdad.csv", times=3)
    return folder


@pytest.fixture(scope="module")
def ran(workspace: Path) -> dict[str, Any]:
    done = sereno("run", "--json", workspace=workspace)
    assert done.code == 0, done.err
    found: dict[str, Any] = done.document
    return found


@pytest.fixture(scope="module")
def results(workspace: Path, ran: dict[str, Any]) -> Path:
    return workspace / "resultados"


def test_goals_are_met_on_faults_of_all_variables(ran: dict[str, Any]) -> None:
    """Faults lie in the last part, which nothing learnt from."""
    found = ran["evaluation"]

    assert {one["name"] for one in found["acceptance"]} == {
        "false_positive_rate",
        "recall",
        "recall:pressure",
        "recall:temperature",
        "recall:volume",
        "severity",
        "latency_minutes",
    }
    assert [one for one in found["acceptance"] if one["met"] is not True] == []
    assert found["accepted"] is True


def test_figures_are_far_from_those_of_detectors_that_look_at_nothing(ran: dict[str, Any]) -> None:
    found = ran["evaluation"]

    trivial = [one["by_row"]["f1"] for one in found["trivial"].values()]
    assert found["by_row"]["f1"] > max(trivial) + 0.3
    assert found["severity"]["agreement"] > found["severity"]["commonest"]
    assert found["by_event"]["recall"] >= 0.9


def test_labels_written_three_times_count_once(ran: dict[str, Any], clients: GasClients) -> None:
    truth = ran["evaluation"]["truth"]

    n_labels = sum(int(fault.moved.sum()) for fault in clients.faults)
    assert (truth["labels"], truth["distinct"]) == (3 * n_labels, n_labels)
    assert (truth["outside"], truth["unknown_assets"], truth["unknown_variables"]) == (0, {}, {})
    rows = ran["evaluation"]["by_row"]
    assert rows["tp"] + rows["fn"] == n_labels


def test_every_client_has_a_segment(results: Path, ran: dict[str, Any]) -> None:
    rows = rows_of(results / "client_clusters.csv")

    assert list(rows[0]) == ["cliente_id", "cluster_id"]
    assert {row["cliente_id"] for row in rows} == {f"CLIENTE{i}" for i in range(1, 9)}
    assert {int(row["cluster_id"]) for row in rows} == set(range(ran["segments"][0]["segments"]))


def test_abnormal_hours_have_the_columns_of_the_field(results: Path, clients: GasClients) -> None:
    rows = rows_of(results / "anomalies_detected.csv")

    assert list(rows[0]) == [
        "timestamp_deteccion",
        "cliente_id",
        "cluster_id",
        "Fecha",
        "Presion",
        "Temperatura",
        "Volumen",
        "cantidad_gas_calculada",
        "modelo_deteccion",
        "score_anomalia_final",
        "criticidad_predicha",
    ]
    assert len({(row["cliente_id"], row["Fecha"]) for row in rows}) == len(rows)
    assert all(row["timestamp_deteccion"] > row["Fecha"] for row in rows)
    assert {"Alta", "Media", "Baja"} <= set(Counter(row["criticidad_predicha"] for row in rows))
    first = clients.courses[clients.names.index(rows[0]["cliente_id"])]
    at = [f"{one:%Y-%m-%d %H:%M:%S}" for one in clients.local()].index(rows[0]["Fecha"])
    assert float(rows[0]["Presion"]) == first[at, 0]


def test_amount_of_gas_follows_from_the_readings(results: Path) -> None:
    row = next(row for row in rows_of(results / "anomalies_detected.csv") if float(row["Volumen"]) > 1)

    kpa = 100 * float(row["Presion"]) + 101.325
    kelvin = float(row["Temperatura"]) + 273.15
    mol = 1000 * kpa * float(row["Volumen"]) / (8.31446261815324 * kelvin)
    assert float(row["cantidad_gas_calculada"]) == pytest.approx(mol, rel=1e-6)


def test_performance_is_one_row_whose_counts_agree(results: Path, ran: dict[str, Any]) -> None:
    rows = rows_of(results / "performance_metrics.csv")

    assert len(rows) == 1
    assert list(rows[0])[:15] == [
        "total_muestras",
        "positivos_reales",
        "negativos_reales",
        "positivos_predichos",
        "verdaderos_positivos_tp",
        "falsos_positivos_fp",
        "verdaderos_negativos_tn",
        "falsos_negativos_fn",
        "precision_anomalia",
        "recall_anomalia_sensibilidad",
        "f1_score_anomalia",
        "tasa_falsos_positivos",
        "especificidad",
        "accuracy_general",
        "precision_clasificacion_criticidad",
    ]
    figures = {name: float(value) for name, value in rows[0].items() if name != "cumple_todo"}
    tp, fp = figures["verdaderos_positivos_tp"], figures["falsos_positivos_fp"]
    assert figures["total_muestras"] == ran["evaluation"]["by_row"]["rows"]
    assert figures["precision_anomalia"] == pytest.approx(tp / (tp + fp))
    assert figures["recall_anomalia_sensibilidad"] == pytest.approx(tp / figures["positivos_reales"])


def test_times_of_every_stage_are_written(results: Path) -> None:
    times = yaml.safe_load((results / "execution_times.yaml").read_text("utf-8"))

    stages = [name for name in times if name.endswith("_seconds") and name != "total_seconds"]
    assert stages == [
        "etl_pipeline_seconds",
        "clustering_pipeline_seconds",
        "training_seconds",
        "anomaly_detection_seconds",
        "system_evaluation_seconds",
        "exports_seconds",
    ]
    assert times["total_seconds"] == pytest.approx(sum(times[name] for name in stages), abs=0.01)


def test_preprocessed_rows_are_all_there(results: Path, clients: GasClients) -> None:
    rows = rows_of(results / "preprocessed.csv")

    assert len(rows) == len(clients.names) * len(clients.time)
    assert {"cliente_id", "Fecha", "Presion", "cantidad_gas_calculada"} <= set(rows[0])


def test_diagnostics_are_drawn(results: Path) -> None:
    drawn = sorted(path.name for path in (results / "clustering_diagnostics").iterdir())

    assert drawn == ["gas_elbow.svg", "gas_pairs.svg", "gas_pca.svg", "gas_silhouette.svg"]
    for name in drawn:
        text = (results / "clustering_diagnostics" / name).read_text("utf-8")
        assert ET.fromstring(text).tag.endswith("svg")
    assert "CLIENTE1" in (results / "clustering_diagnostics" / "gas_pca.svg").read_text("utf-8")


def test_run_again_keeps_what_holds_and_gives_the_same_tables(results: Path, workspace: Path) -> None:
    names = ("client_clusters.csv", "anomalies_detected.csv")
    before = {name: (results / name).read_bytes() for name in names}

    again = sereno("run", "--json", workspace=workspace).document

    assert again["reused"] == ["clustering", "training"]
    assert [entry["readings_new"] for entry in again["files_read"]] == [0, 0]
    assert {name: (results / name).read_bytes() for name in names} == before


def test_spoken_result_is_spanish(workspace: Path, ran: dict[str, Any]) -> None:
    done = sereno("evaluate", "--truth", workspace / "verdad.csv", workspace=workspace)

    assert done.code == 0
    assert "siempre encendido" in done.out
    assert "sensibilidad volume" in done.out
    assert (
        json.loads((workspace / "models" / "segments-gas.json").read_text("utf-8"))["method"] == "silhouette"
    )
