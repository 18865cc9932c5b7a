"""Readings by HTTP: acknowledged when they are stored, each record by itself, the same twice as once."""

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sereno.flows.workspace import Workspace
from tests.api.serving import served

EXPORT = "Energía suministrada a la red (kWh)"
ROOFS = "Fecha;Generación total;Consumo total;Autoconsumo\n[dd.mm.aaaa];[kWh];[kWh];[kWh]\n"


def a_record(day: int = 1, site: str = "Nave 1", **values: object) -> dict[str, object]:
    energies = {
        "Generación total (kWh)": 120.5,
        "Consumo total (kWh)": 80.25,
        "Autoconsumo (kWh)": 60.0,
        EXPORT: 60.5,
        "Energía obtenida de la red (kWh)": 20.25,
    }
    return {"Empresa": site, "Fecha": f"2025-01-{day:02d}", **energies, **values}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service for tests that leave nothing behind."""
    with served(tmp_path_factory.mktemp("kept")) as client:
        yield client


def post(client: httpx.Client, what: object, **options: Any) -> httpx.Response:
    return client.post("/api/v1/readings", json=what, **options)


def stored_rows(folder: Path) -> int:
    with Workspace.open(folder) as workspace, workspace.store.read() as tx:
        return tx.n_rows()


def counts(answer: httpx.Response) -> tuple[int, int, int, int]:
    said = answer.json()
    return said["new"], said["changed"], said["duplicates"], len(said["quarantined"])


def test_what_is_acknowledged_is_stored(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        answer = post(client, [a_record(day) for day in range(1, 6)])

    assert (answer.status_code, counts(answer)) == (202, (5, 0, 0, 0))
    assert stored_rows(tmp_path) == 5


def test_readings_sent_again_change_nothing_and_corrected_ones_are_counted(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        post(client, [a_record(1), a_record(2)])

        again = post(client, [a_record(1), a_record(2, **{"Consumo total (kWh)": 99.0}), a_record(3)])

    assert counts(again) == (1, 1, 1, 0)
    assert stored_rows(tmp_path) == 3


def test_record_that_cannot_be_used_concerns_no_other(tmp_path: Path) -> None:
    lines = [json.dumps(a_record(1)), "{", '{"x": 1}', "", json.dumps(a_record(2) | {"Fecha": "nunca"})]
    body = "\n".join([*lines, json.dumps(a_record(3))])

    with served(tmp_path) as client:
        answer = client.post(
            "/api/v1/readings", content=body, headers={"Content-Type": "application/x-ndjson"}
        )

    assert (answer.status_code, counts(answer)) == (202, (2, 0, 0, 3))
    assert [(row["line"], row["reason"]) for row in answer.json()["quarantined"]] == [
        (2, "read.broken_row"),
        (3, "read.missing_columns"),
        (5, "read.broken_row"),
    ]


def test_records_of_two_profiles_may_come_together(tmp_path: Path) -> None:
    motor = {"Equipo": "Bomba 2", "timestamp": "2025-01-01T00:00:00Z", "corriente": 12.5, "voltaje": 400.0}

    with served(tmp_path) as client:
        answer = post(client, [a_record(1), motor])

    assert counts(answer) == (2, 0, 0, 0)
    with Workspace.open(tmp_path) as workspace, workspace.store.read() as tx:
        assert {asset.profile for asset in tx.assets()} == {"solar", "motor"}


def test_spanish_export_is_read_as_from_a_file(tmp_path: Path) -> None:
    rows = "".join(f"{day:02d}.01.2025;1.234,5;1.000,25;800,0\n" for day in range(1, 21))

    with served(tmp_path) as client:
        answer = client.post(
            "/api/v1/readings",
            params={"name": "datos_Nave 7.csv", "timezone": "Europe/Madrid"},
            content=gzip.compress((ROOFS + rows).encode("latin-1")),
            headers={"Content-Type": "text/csv", "Content-Encoding": "gzip"},
        )

    assert (answer.status_code, counts(answer)) == (202, (20, 0, 0, 0))
    with Workspace.open(tmp_path) as workspace, workspace.store.read() as tx:
        asset = tx.assets()[0]
        stored = tx.rows(asset.id, asset.profile)
    assert asset.key.site == "Nave 7"
    assert stored.values[0, stored.signals.index("generation")] == 1234.5


def test_same_key_and_content_get_the_same_answer(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        first = post(client, [a_record(1)], headers={"Idempotency-Key": "k"})
        second = post(client, [a_record(1)], headers={"Idempotency-Key": "k"})
        without = post(client, [a_record(1)])

    assert (counts(first), counts(second), counts(without)) == ((1, 0, 0, 0), (1, 0, 0, 0), (0, 0, 1, 0))
    assert (first.json()["repeated"], second.json()["repeated"]) == (False, True)


def test_answer_of_a_key_survives_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        post(client, [a_record(1)], headers={"Idempotency-Key": "k"})

    with served(tmp_path) as client:
        again = post(client, [a_record(1)], headers={"Idempotency-Key": "k"})

    assert again.json()["repeated"]


def test_same_key_with_another_content_is_refused(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        post(client, [a_record(1)], headers={"Idempotency-Key": "k"})
        other = post(client, [a_record(2)], headers={"Idempotency-Key": "k", "Accept-Language": "es"})

    assert (other.status_code, other.json()["code"]) == (422, "request.key_reused")
    assert "clave nueva" in other.json()["detail"]
    assert stored_rows(tmp_path) == 1


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {}, 422, "request.unreadable"),
        (b"[]", {}, 422, "request.unreadable"),
        (b"\xff\xfe", {}, 422, "request.unreadable"),
        (b"[" * 100_000, {}, 422, "request.too_deep"),
        (b'{"x": {"y": 1}}', {}, 422, "read.no_readings"),
        (b"[1, 2]", {}, 422, "read.no_readings"),
        (b"x", {"Content-Type": "image/png"}, 415, "request.unsupported"),
        (b"x", {"Content-Encoding": "br"}, 415, "request.unsupported"),
        (b"x", {"Content-Encoding": "gzip"}, 422, "request.unreadable"),
        (gzip.compress(b" " * 20_000_000), {"Content-Encoding": "gzip"}, 413, "request.body_too_large"),
        (b" " * 17_000_000, {}, 413, "request.too_large"),
        (
            b"\n".join([b'{"a": 1}'] * 10_001),
            {"Content-Type": "application/x-ndjson"},
            413,
            "request.body_too_large",
        ),
        (b"x;y\n1;2\n", {"Content-Type": "text/csv"}, 422, "read.missing_columns"),
        (b"", {"Content-Type": "text/csv"}, 422, "read.empty"),
    ],
    ids=[
        *("cut", "none", "binary", "deep", "nested", "numbers", "image", "brotli", "not_gzip", "bomb"),
        *("large", "many", "strange_table", "empty_table"),
    ],
)
def test_body_that_cannot_be_used_is_refused_in_a_sentence(
    kept: httpx.Client, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = kept.post(
        "/api/v1/readings", content=content, headers={"Content-Type": "application/json"} | headers
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_verdicts_say_what_is_thought_of_each_record(tmp_path: Path) -> None:
    broken = a_record(2, **{EXPORT: 900.0})

    with served(tmp_path) as client:
        answer = post(client, [a_record(1), {"x": 1}, broken], params={"verdicts": "true"})
        judged = client.post("/api/v1/score", json=[a_record(1), broken])

    good, unusable, bad = answer.json()["verdicts"]
    assert (good["is_abnormal"], unusable, bad["kind"]) == (False, None, "physics")
    assert [row["is_abnormal"] for row in judged.json()["judged"]] == [False, True]


def of_tomorrow() -> dict[str, object]:
    """A record whose day has not come, wherever the clock of its writer stands."""
    day = datetime.now(UTC) + timedelta(days=3)
    return a_record(1) | {"Fecha": f"{day:%d.%m.%Y}"}


def test_records_of_the_future_are_quarantined_and_the_others_judged(tmp_path: Path) -> None:
    broken, dateless = a_record(2, **{EXPORT: 900.0}), a_record(3, Fecha="nunca")

    with served(tmp_path) as client:
        answer = client.post("/api/v1/score", json=[of_tomorrow(), a_record(1), dateless, broken])
        stored = post(client, [of_tomorrow(), a_record(1)], params={"verdicts": "true"})

    said = answer.json()
    assert (answer.status_code, said["rows"], said["abnormal"]) == (200, 2, 1)
    assert [(one["line"], one["reason"]) for one in said["quarantined"]] == [
        (1, "quality.future"),
        (3, "read.broken_row"),
    ]
    assert [one["code"] for one in said["issues"] if "future" in one["message"]] == ["quality.future"]
    assert [one["reason"] for one in stored.json()["quarantined"]] == ["quality.future"]
    assert [one is None for one in stored.json()["verdicts"]] == [True, False]
    assert stored_rows(tmp_path) == 1


@pytest.mark.parametrize("path", ["/api/v1/score", "/procesar"])
def test_a_record_of_the_future_alone_is_refused_with_a_reason(tmp_path: Path, path: str) -> None:
    with served(tmp_path) as client:
        answer = client.post(path, json=of_tomorrow(), headers={"Accept-Language": "es"})

    assert (answer.status_code, answer.json()["code"]) == (422, "record.invalid")
    assert "en el futuro" in answer.json()["detail"]
    assert stored_rows(tmp_path) == 0


def test_record_without_a_value_is_told_what_it_lacks(tmp_path: Path) -> None:
    nothing = {"Empresa": "Nave 1", "Fecha": "01.01.2025"}

    with served(tmp_path) as client:
        answer = client.post("/api/v1/score", json=nothing, headers={"Accept-Language": "es"})
        dateless = client.post(
            "/api/v1/score", json=a_record(1, Fecha="mañana"), headers={"Accept-Language": "es"}
        )

    assert (answer.status_code, dateless.status_code) == (422, 422)
    assert answer.json()["detail"].endswith("Hace falta una columna con números junto a la de la hora.")
    assert dateless.json()["detail"].endswith("las demás se han leído.")


def test_judging_alone_stores_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        answer = client.post("/api/v1/score", json=a_record(1))

    assert (answer.status_code, answer.json()["rows"]) == (200, 1)
    assert stored_rows(tmp_path) == 0


def test_requests_at_once_share_transactions_and_each_gets_its_answer(tmp_path: Path) -> None:
    with served(tmp_path) as client, ThreadPoolExecutor(16) as pool:
        days = [(f"Nave {site}", day) for day in range(1, 9) for site in range(8)]
        answers = list(pool.map(lambda one: post(client, a_record(one[1], one[0])), days))
        text = client.get("/metrics").text

    n_commits = float(text.split("\nsereno_intake_commits_total ")[1].split()[0])
    assert [counts(answer) for answer in answers] == [(1, 0, 0, 0)] * len(days)
    assert n_commits < len(days)
    assert stored_rows(tmp_path) == len(days)
