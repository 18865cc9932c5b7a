"""The guide's class: its calls, its keys, its files."""

import csv
import json
import os
import pickle
import shutil
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sereno.compat import SistemaAlertasTiempoReal
from sereno.domain.errors import DataError, FileMissing, InvalidRecord, ModelMissing
from sereno.flows.workspace import Workspace
from tests.compat.conftest import MODEL
from tests.compat.fleet import HEADER, NEXT_DAY, Recorder, a_record, days_of, write_csv
from tests.support.work import bytes_moved

ADDED = ["Es_Anomalia", "Score_Anomalia", "Severidad", "tiempo_prediccion_ms"]
ALERT_FIELDS = [
    "timestamp",
    "fecha_dato",
    "empresa",
    "es_anomalia",
    "score",
    "severidad",
    "datos",
    "tiempo_prediccion_ms",
]
GUIDE_RECORD = {
    "Fecha y hora": "15.01.2025",
    "Generación total": 5000.0,
    "Consumo total": 80000.0,
    "Autoconsumo": 4800.0,
    "Energía suministrada a la red": 200.0,
    "Energía obtenida de la red": 75200.0,
    "Empresa": "NEUROCIENCIAS",
}


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("exploded",)


class Series:
    """What the drop-in needs of a pandas Series."""

    def __init__(self, values: dict) -> None:
        self._values = values

    def to_dict(self) -> dict:
        return dict(self._values)


def _history(folder: Path) -> list[dict]:
    return json.loads((folder / "alertas_historial.json").read_text("utf-8"))


def test_record_of_the_guide_gives_its_fields_and_four_more(system: Recorder) -> None:
    given = dict(GUIDE_RECORD)

    result = system.procesar_dato(given)

    assert list(result) == [*GUIDE_RECORD, *ADDED]
    assert given == GUIDE_RECORD
    assert type(result["Es_Anomalia"]) is bool
    assert type(result["Score_Anomalia"]) is float
    assert isinstance(json.dumps(result), str)


def test_series_and_dict_are_judged_alike(system: Recorder) -> None:
    record = a_record(factor=3.0)

    results = [system.procesar_dato(given) for given in (record, Series(record))]

    assert results[0]["Score_Anomalia"] == results[1]["Score_Anomalia"]


def test_text_with_decimal_comma_is_judged_as_the_number(system: Recorder) -> None:
    record = a_record(factor=3.0)
    spanish = {n: str(v).replace(".", ",") if isinstance(v, float) else v for n, v in record.items()}

    assert system.procesar_dato(spanish)["Score_Anomalia"] == system.procesar_dato(record)["Score_Anomalia"]


def test_bookkeeping_columns_pass_through(system: Recorder) -> None:
    result = system.procesar_dato({"id": 7, "procesado": 0, **a_record()})

    assert (result["id"], result["Severidad"]) == (7, "NORMAL")


def test_abnormal_record_scores_below_normal_one(system: Recorder) -> None:
    normal = system.procesar_dato(a_record())
    strange = system.procesar_dato(a_record(NEXT_DAY + timedelta(days=1), factor=5.0))

    assert (normal["Es_Anomalia"], strange["Es_Anomalia"]) == (False, True)
    assert strange["Score_Anomalia"] < normal["Score_Anomalia"]


def test_all_four_severities_occur(system: Recorder) -> None:
    found = set()
    for n in range(120):
        factor = 1.0 + 0.01 * 1.06**n
        found.add(system.procesar_dato(a_record(factor=factor), enviar_alerta=False)["Severidad"])

    assert found == {"NORMAL", "BAJA", "MEDIA", "ALTA", "CRÍTICA"}


@pytest.mark.parametrize("company", ["EMPRESA_DESCONOCIDA", None])
def test_unknown_company_is_judged_from_the_fleet(system: Recorder, company: str | None) -> None:
    result = system.procesar_dato(a_record(company=company))

    assert result["Es_Anomalia"] is False
    assert result["Score_Anomalia"] < 0.0


def test_argument_company_stands_over_the_field(system: Recorder) -> None:
    system.procesar_dato(a_record(company="PLANTA_02", factor=5.0), empresa="NUEVA")

    assert [alert["empresa"] for alert in system.sent] == ["NUEVA"]


@pytest.mark.parametrize(
    "change",
    [{"Fecha y hora": None}, {"Fecha y hora": "ayer"}, {"Generación total": "5.000"}],
    ids=["no date", "bad date", "ambiguous"],
)
def test_record_that_cannot_be_judged_is_an_error_and_changes_nothing(system: Recorder, change: dict) -> None:
    with pytest.raises(InvalidRecord):
        system.procesar_dato({**a_record(factor=5.0), **change})

    assert system.sent == []


@pytest.mark.parametrize("given", [[1, 2], "15.01.2025", 3])
def test_what_is_no_record_is_an_error(system: Recorder, given: object) -> None:
    with pytest.raises(InvalidRecord):
        system.procesar_dato(given)


def test_alert_has_exactly_the_fields_of_the_guide(system: Recorder, beside: Path) -> None:
    record = a_record(factor=5.0)

    result = system.procesar_dato(record)

    (alert,) = system.sent
    assert list(alert) == ALERT_FIELDS
    assert alert["datos"] == {n: record[n] for n in ("Generación total", "Consumo total", "Autoconsumo")}
    assert (alert["fecha_dato"], alert["empresa"]) == (record["Fecha y hora"], "NEUROCIENCIAS")
    assert (alert["score"], alert["severidad"]) == (result["Score_Anomalia"], result["Severidad"])
    assert _history(beside) == [alert]


def test_each_call_alerts_once_and_the_record_is_stored_once(system: Recorder, beside: Path) -> None:
    for _ in range(2):
        system.procesar_dato(a_record(factor=5.0))

    assert len(system.sent) == len(_history(beside)) == 2
    system.cerrar()
    with Workspace.open(beside) as workspace:
        behaviour = [v for v in workspace.incidents() if v.incident.kind.value == "behaviour"]
        latest = [v for v in behaviour if v.incident.asset.site == "NEUROCIENCIAS"]
        assert sum(v.incident.started_at.date() >= NEXT_DAY - timedelta(days=1) for v in latest) == 1


def test_no_alert_when_it_is_not_wanted(system: Recorder, beside: Path) -> None:
    result = system.procesar_dato(a_record(factor=5.0), enviar_alerta=False)

    assert result["Es_Anomalia"]
    assert system.sent == []
    assert not (beside / "alertas_historial.json").exists()


def test_alert_is_sent_after_the_record_is_committed(beside: Path) -> None:
    seen = []

    class Looking(SistemaAlertasTiempoReal):
        def _enviar_alerta(self, alerta: dict[str, object]) -> None:
            with Workspace.open(beside) as other:
                seen.append((alerta["fecha_dato"], other.last_reading_at()))

    looking = Looking(beside / MODEL)
    looking.procesar_dato(a_record(factor=5.0))
    looking.cerrar()

    midnight = datetime.combine(NEXT_DAY, datetime.min.time(), ZoneInfo("Europe/Madrid"))
    assert seen == [(NEXT_DAY.strftime("%d.%m.%Y"), midnight)]


def test_alert_is_kept_when_the_override_fails(beside: Path) -> None:
    class Failing(SistemaAlertasTiempoReal):
        def _enviar_alerta(self, alerta: dict[str, object]) -> None:
            raise ConnectionError(alerta)

    failing = Failing(beside / MODEL)
    result = failing.procesar_dato(a_record(factor=5.0))
    failing.cerrar()

    assert result["Es_Anomalia"]
    assert len(_history(beside)) == 1


def test_two_threads_lose_no_alert(system: Recorder, beside: Path) -> None:
    strange = []

    def process(company: str) -> None:
        for n in range(15):
            record = a_record(NEXT_DAY + timedelta(days=n), company=company, factor=6.0)
            if system.procesar_dato(record)["Es_Anomalia"]:
                strange.append((company, record["Fecha y hora"]))

    threads = [threading.Thread(target=process, args=(name,)) for name in ("NEUROCIENCIAS", "PLANTA_02")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    kept = [(a["empresa"], a["fecha_dato"]) for a in _history(beside)]
    assert len(kept) == len(system.sent)
    assert sorted(kept) == sorted(strange)
    assert len(strange) > 10


def test_cost_of_an_alert_does_not_grow_with_their_number(tmp_path: Path) -> None:
    quiet = Recorder(tmp_path / MODEL)
    alert = {
        "severidad": "CRÍTICA",
        "empresa": "A",
        "fecha_dato": "15.01.2025",
        "datos": {"Consumo total": 1.0},
    }
    costs = [bytes_moved(lambda: quiet._raise_alerts([alert])) for _ in range(3000)]

    assert max(costs[-40:]) <= 1.1 * max(costs[1000:1040])


def test_pickle_is_refused_and_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL).write_bytes(pickle.dumps(Bomb()))

    assert SistemaAlertasTiempoReal(MODEL).iniciar() is False

    assert "sereno train" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == [MODEL]


@pytest.mark.parametrize("kind", ["absent", "folder"])
def test_start_says_what_to_do_when_there_is_no_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    if kind == "folder":
        (tmp_path / MODEL).mkdir()

    assert SistemaAlertasTiempoReal(tmp_path / MODEL).iniciar() is False

    assert "sereno train" in capsys.readouterr().out
    assert not (tmp_path / "sereno.db").exists()


def test_untrained_workspace_beside_does_not_start(tmp_path: Path) -> None:
    Workspace.open(tmp_path).close()
    waiting = SistemaAlertasTiempoReal(tmp_path / MODEL)

    assert waiting.iniciar() is False
    with pytest.raises(ModelMissing):
        waiting.procesar_dato(a_record())


def test_trained_workspace_beside_stands_in_for_the_file(system: Recorder, beside: Path) -> None:
    with_file = system.procesar_dato(a_record())
    system.cerrar()
    (beside / MODEL).unlink()

    without = system.procesar_dato(a_record())

    assert without["Score_Anomalia"] == with_file["Score_Anomalia"]


def test_model_alone_starts_in_an_empty_folder(
    trained: Path, tmp_path: Path, open_system: Callable[[Path], Recorder]
) -> None:
    shutil.copy(trained / MODEL, tmp_path / MODEL)
    alone = open_system(tmp_path)

    assert alone.procesar_dato(GUIDE_RECORD)["Empresa"] == "NEUROCIENCIAS"
    assert alone.procesar_dato(a_record(NEXT_DAY + timedelta(days=30), factor=8.0))["Es_Anomalia"]


def test_damaged_history_does_not_keep_it_from_starting(
    beside: Path, open_system: Callable[[Path], Recorder]
) -> None:
    (beside / "alertas_historial.json").write_text('[{"empresa": "A"', "utf-8")

    started = open_system(beside)
    started.procesar_dato(a_record(factor=5.0))

    assert (beside / "alertas_historial.json.damaged").exists()
    assert len(_history(beside)) == 1


def test_history_is_there_after_a_restart(system: Recorder, beside: Path, open_system: Callable) -> None:
    system.procesar_dato(a_record(factor=5.0))

    assert open_system(beside).obtener_resumen_alertas()["total"] == 1


def test_csv_gives_every_row_with_its_verdict_and_one_alert_per_anomaly(
    system: Recorder, beside: Path
) -> None:
    rows = days_of("NEUROCIENCIAS", 10, factors={3: 5.0, 7: 6.0})
    path = write_csv(beside / "datos_nuevos.csv", rows)

    table = system.procesar_csv(path, empresa="NEUROCIENCIAS", output_path="resultados_alertas.csv")

    assert list(table.columns) == [*HEADER, "Es_Anomalia", "Score_Anomalia", "Severidad"]
    assert [n for n, is_strange in enumerate(table["Es_Anomalia"]) if is_strange] == [3, 7]
    assert [alert["fecha_dato"] for alert in system.sent] == [rows[3][0], rows[7][0]]
    with Path("resultados_alertas.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.reader(file))
    assert written[0] == list(table.columns)
    assert [line[6] for line in written[1:]] == [str(bool(one)) for one in table["Es_Anomalia"]]


def test_csv_and_records_are_judged_alike(
    system: Recorder, trained: Path, tmp_path: Path, open_system
) -> None:
    rows = days_of("NEUROCIENCIAS", 5, factors={3: 5.0})
    shutil.copytree(trained, tmp_path / "other")
    one_by_one = open_system(tmp_path / "other")

    table = system.procesar_csv(write_csv(tmp_path / "datos.csv", rows), "NEUROCIENCIAS")
    records = [dict(zip(HEADER, row, strict=True)) | {"Empresa": "NEUROCIENCIAS"} for row in rows]

    found = [one_by_one.procesar_dato(record)["Score_Anomalia"] for record in records]
    assert found == pytest.approx(list(table["Score_Anomalia"]))


def test_csv_without_unit_row_keeps_its_first_record_and_is_in_wh(system: Recorder, tmp_path: Path) -> None:
    rows = days_of("NEUROCIENCIAS", 4)
    paths = [tmp_path / "with.csv", tmp_path / "without.csv"]
    write_csv(paths[0], rows)
    write_csv(paths[1], rows, has_units=False)

    tables = [system.procesar_csv(path, "NEUROCIENCIAS") for path in paths]

    assert list(tables[1]["Fecha"]) == [row[0] for row in rows]
    assert list(tables[0]["Score_Anomalia"]) == list(tables[1]["Score_Anomalia"])


def test_csv_in_any_order_with_repeats_and_broken_rows_keeps_its_rows(
    system: Recorder, tmp_path: Path
) -> None:
    day = days_of("NEUROCIENCIAS", 3, factors={2: 5.0})
    broken = ("sin fecha", 1, 1, 1, 0, 0)
    path = write_csv(tmp_path / "NEUROCIENCIAS.csv", [day[2], day[0], broken, day[0], day[1]])

    table = system.procesar_csv(path)

    assert list(table["Severidad"])[2] == "SIN JUICIO"
    assert [bool(one) for one in table["Es_Anomalia"]] == [True, False, False, False, False]
    assert [alert["empresa"] for alert in system.sent] == ["NEUROCIENCIAS"]


def test_csv_output_cannot_run_as_a_formula(system: Recorder, tmp_path: Path) -> None:
    rows = [(*row, note) for row, note in zip(days_of("PLANTA_02", 3), ["=1+1", "-5", "@x"], strict=True)]
    path = write_csv(tmp_path / "PLANTA_02.csv", rows, has_units=False, header=(*HEADER, "Nota"))

    system.procesar_csv(path, output_path=tmp_path / "salida.csv")

    with (tmp_path / "salida.csv").open(encoding="utf-8", newline="") as file:
        assert [row["Nota"] for row in csv.DictReader(file)] == ["'=1+1", "-5", "'@x"]


def test_csv_with_semicolons_and_decimal_commas_is_read(system: Recorder, tmp_path: Path) -> None:
    rows = days_of("PLANTA_02", 6)
    text = "\n".join(";".join(str(cell).replace(".", ",") for cell in row[1:]) for row in rows)
    lines = [f"{row[0]};{line}" for row, line in zip(rows, text.splitlines(), strict=True)]
    path = tmp_path / "PLANTA_02.csv"
    path.write_text(";".join(HEADER) + "\n" + "\n".join(lines) + "\n", "latin-1")

    table = system.procesar_csv(path)

    assert list(table["Consumo total"]) == [row[2] for row in rows]
    assert not any(table["Es_Anomalia"])


def test_csv_that_is_none_is_an_error(system: Recorder, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("hola", "utf-8")

    with pytest.raises(DataError):
        system.procesar_csv(tmp_path / "x.csv")
    with pytest.raises(FileMissing):
        system.procesar_csv(tmp_path / "no.csv")


def test_summary_is_complete_when_the_history_is_empty(system: Recorder) -> None:
    assert system.obtener_resumen_alertas(dias=7) == {
        "total": 0,
        "ultimas_24h": 0,
        "por_severidad": {},
        "por_empresa": {},
    }


def test_summary_counts_days_of_the_data(system: Recorder, tmp_path: Path) -> None:
    rows = days_of("NEUROCIENCIAS", 20, factors={2: 5.0, 15: 5.0, 19: 5.0})
    system.procesar_csv(write_csv(tmp_path / "x.csv", rows), "NEUROCIENCIAS")

    week, month = system.obtener_resumen_alertas(), system.obtener_resumen_alertas(dias=30)

    assert (week["total"], week["ultimas_24h"], week["por_empresa"]) == (2, 1, {"NEUROCIENCIAS": 2})
    assert month["total"] == sum(month["por_severidad"].values()) == 3
