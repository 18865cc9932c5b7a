"""The doors of the first systems, and what watches a service."""

from pathlib import Path

import pytest

from tests.api.serving import served
from tests.api.test_readings import a_record, stored_rows


def test_procesar_stores_and_answers_with_the_fields_of_the_first_system(tmp_path: Path) -> None:
    record = {
        "Empresa": "Nave 1",
        "Fecha": "15.01.2025",
        "Generación total": 120500,
        "Autoconsumo": 60000,
        "Energía suministrada a la red": 60500,
    }

    with served(tmp_path) as client:
        answer = client.post("/procesar", json=record)
        broken = client.post("/procesar", json=record | {"Fecha": "16.01.2025", "Autoconsumo": 9e5})

    assert answer.json() == {"es_anomalia": False, "score": None, "alerta_generada": False}
    assert broken.json()["es_anomalia"]
    assert broken.json()["score"] < -0.05
    assert stored_rows(tmp_path) == 2


def test_procesar_takes_energies_for_watt_hours(tmp_path: Path) -> None:
    from sereno.flows.workspace import Workspace

    with served(tmp_path) as client:
        client.post("/procesar", json={"Fecha": "15.01.2025", "Generación total": 120500})

    with Workspace.open(tmp_path) as workspace, workspace.store.read() as tx:
        asset = tx.assets()[0]
        stored = tx.rows(asset.id, asset.profile)
    assert stored.values[0, stored.signals.index("generation")] == 120.5


@pytest.mark.parametrize("body", [[], [a_record(1), a_record(2)], {"Fecha": "nunca", "Generación total": 1}])
def test_procesar_wants_one_record_with_a_time(tmp_path: Path, body: object) -> None:
    with served(tmp_path) as client:
        answer = client.post("/procesar", json=body)

    assert answer.status_code == 422
    assert answer.json()["code"] in {"record.invalid", "request.unreadable"}


def test_root_is_json_for_programs_and_a_page_for_people(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        said = client.get("/").json()
        page = client.get("/", headers={"Accept": "text/html,*/*;q=0.8", "Accept-Language": "es-ES,es"})

    assert (said["name"], said["docs"]) == ("sereno", "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "El servicio está en marcha" in page.text


def test_health_tells_of_the_model_latency_memory_and_last_prediction(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        before = client.get("/health").json()
        client.post("/procesar", json=a_record(1))
        after = client.get("/health").json()

    assert (before["status"], before["model_loaded"], before["last_prediction"]) == ("degraded", False, None)
    assert after["last_prediction"] is not None
    assert after["prediction_latency_ms"] > 0
    assert after["memory_mb"] > 0


def test_metrics_count_requests_by_pattern_and_records_by_commit(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        client.post("/api/v1/readings", json=[a_record(1), a_record(2)])
        client.get("/nothing/here")
        text = client.get("/metrics").text

    assert 'sereno_http_requests_total{method="POST",route="/api/v1/readings",status="202"} 1.0' in text
    assert 'sereno_http_requests_total{method="GET",route="other",status="404"} 1.0' in text
    assert "sereno_intake_commits_total 1.0" in text
    assert "sereno_intake_records_total 2.0" in text
    assert "Nave" not in text


def test_ready_says_how_every_check_went(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        alive, ready = client.get("/healthz"), client.get("/readyz")

    assert alive.json()["status"] == "alive"
    assert (ready.status_code, ready.json()["checks"]["store"]) == (200, True)
