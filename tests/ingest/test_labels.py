"""Tables of truth: the distributor's five columns unaided, stretches, workbooks, and what is no truth."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import AmbiguousData, EmptyFile, FileMissing
from sereno.ingest.labels import NoTruth, read_labels
from sereno.ingest.options import ReadOptions
from tests.ingest.sheets import write_xlsx

LIMA = ReadOptions("America/Lima")
FIVE = "cliente_id,Fecha,anomalia_real,criticidad_real,variable_afectada"


def written(folder: Path, text: str, name: str = "verdad.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_five_columns_are_read_unaided(tmp_path: Path) -> None:
    lines = [
        FIVE,
        "CLIENTE11,2019-01-14 03:00:00,True,Alta,Presion",
        "CLIENTE11,2019-01-14 04:00:00,True,Media,Volumen",
    ]
    path = written(tmp_path, "\n".join(lines))

    found = read_labels(path, LIMA)

    assert found.assets == ("CLIENTE11", "CLIENTE11")
    assert found.start.astype(str).tolist() == ["2019-01-14T08:00:00.000000", "2019-01-14T09:00:00.000000"]
    assert np.isnat(found.end).all()
    assert found.severities == ("Alta", "Media")
    assert found.variables == ("Presion", "Volumen")


@pytest.mark.parametrize("flag", ["False", "0", "no", "falso", "Normal", ""])
def test_row_that_says_all_was_well_is_no_label(tmp_path: Path, flag: str) -> None:
    path = written(tmp_path, f"{FIVE}\nA,2019-01-14 03:00,{flag},,\nA,2019-01-14 04:00,1,Alta,Presion\n")

    found = read_labels(path, LIMA)

    assert (len(found), found.n_normal, found.n_unread) == (1, 1, 0)


@pytest.mark.parametrize(
    "text",
    [
        "Criticidad;Cliente;Fecha y hora;Variable\nAlta;Ñandú;14/01/2019 03:00;Presión\n",
        "Inicio\tFin\tEquipo\tSeverity\tSignals\n14/01/2019 03:00\t14/01/2019 04:00\tÑandú\tAlta\tPresión\n",
        "# exported\n\nFECHA,cliente,gravedad,señal\n2019-01-14T08:00:00Z,Ñandú,Alta,Presión\n",
    ],
    ids=["semicolons", "start and end", "comment before, offset"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-8-sig"])
def test_other_names_orders_and_encodings_are_read(tmp_path: Path, text: str, encoding: str) -> None:
    found = read_labels(written(tmp_path, text, encoding=encoding), LIMA)

    assert (found.assets, found.severities, found.variables) == (("Ñandú",), ("Alta",), ("Presión",))
    assert str(found.start[0]) == "2019-01-14T08:00:00.000000"


def test_truth_of_a_simulated_world_is_read(tmp_path: Path) -> None:
    header = "site,asset,fault,kind,signals,start,end"
    row = "Norte,M1,leak_floor,behaviour,volume pressure,2026-07-30T14:00:00Z,2026-08-02T02:00:00Z"

    found = read_labels(written(tmp_path, f"{header}\n{row}\n"), LIMA)

    assert found.assets == ("Norte/M1",)
    assert str(found.end[0]) == "2026-08-02T02:00:00.000000"
    assert found.variables == ("volume pressure",)


def test_sheets_of_a_workbook_name_their_client(tmp_path: Path) -> None:
    at = dt.datetime.fromisoformat("2019-01-14T03:00:00")
    header = ["Fecha", "anomalia_real", "variable_afectada"]
    sheets = {
        "CLIENTE1": [header, [at, 1.0, "Presion"]],
        "CLIENTE2": [header, [at, 1.0, "Volumen"]],
        "Portada": [["Anomalías de enero"]],
    }

    found = read_labels(write_xlsx(tmp_path / "verdad.xlsx", sheets), LIMA)

    assert dict(zip(found.assets, found.variables, strict=True)) == {
        "CLIENTE1": "Presion",
        "CLIENTE2": "Volumen",
    }
    assert set(found.start.astype(str)) == {"2019-01-14T08:00:00.000000"}


def test_row_without_an_instant_is_counted(tmp_path: Path) -> None:
    path = written(tmp_path, f"{FIVE}\nA,mañana,True,Alta,Presion\nA,2019-01-14 03:00,True,Alta,Presion\n")

    found = read_labels(path, LIMA)

    assert (len(found), found.n_unread) == (1, 1)


def test_dates_that_fit_two_readings_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, f"{FIVE}\nA,03/04/2019 03:00,True,Alta,Presion\n")

    with pytest.raises(AmbiguousData):
        read_labels(path, LIMA)
    assert str(read_labels(path, ReadOptions("UTC", date_order="dmy")).start[0]).startswith("2019-04-03")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Fecha,Presion,Temperatura,Volumen\n2019-01-14 03:00,17,20,3\n", NoTruth),
        ("cliente_id,anomalia_real\nA,True\n", NoTruth),
        (f"{FIVE}\nA,mañana,True,Alta,Presion\n", NoTruth),
        ("hola\n", NoTruth),
        ("", EmptyFile),
    ],
    ids=["readings", "no instant", "no readable instant", "words", "empty"],
)
def test_what_is_no_truth_is_refused_with_what_was_found(
    tmp_path: Path, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        read_labels(written(tmp_path, text), LIMA)

    assert "verdad.csv" in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        read_labels(tmp_path / "no.csv", LIMA)
